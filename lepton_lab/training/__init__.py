"""The training kernel: from a prepared dataset and two specs to a trained network.

| module | concern |
|---|---|
| `loop` | the order of things: steps, epochs, commands, checkpoints |
| `step` | one optimizer update |
| `plan` | every automatic choice, with its reason |
| `resident` | rows and labels where the compute is |
| `sampler` | which rows each step sees |
| `optimizers`, `schedules` | how weights move, and how far |
| `meter`, `progress` | what was measured, and when it is written |
| `validation` | forward passes without gradients |
| `steering` | commands from outside |
| `checkpoints` | all that a later process needs to go on as if nothing had happened |
| `failures` | exceptions as named reasons and sentences |
"""
