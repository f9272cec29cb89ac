"""The training kernel: from a prepared dataset and two specs to a trained network.

| module | concern |
|---|---|
| `loop`, `outcome` | the order of things: steps, epochs, commands, checkpoints; how it ended |
| `step` | one optimizer update, in parts where the memory asks for it |
| `setup`, `plan` | what a run needs before its first step; every automatic choice, with its reason |
| `objective`, `losses`, `metrics` | what a task asks for; `ranking` and `detection` have their own way |
| `resident`, `columns` | rows and labels where the compute is, by the form in which they are stored |
| `sampler`, `feed`, `augment` | which rows each step sees, gathered in blocks, changed at random |
| `optimizers`, `muon`, `schedules`, `finder` | how weights move, and how far |
| `averages`, `best` | the running average of the weights; the best epoch |
| `meter`, `progress`, `epochs` | what was measured, and when it is written |
| `validation` | forward passes without gradients |
| `steering`, `callbacks`, `tensorboard` | commands from outside; who is told what happens |
| `checkpoints`, `resuming`, `restore` | all that a later process needs to go on as if nothing had happened |
| `replay` | proof of a finished run |
| `failures`, `threads` | exceptions as named reasons and sentences; how many CPU threads |
"""
