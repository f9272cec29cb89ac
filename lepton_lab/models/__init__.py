"""The networks, one file each; `registry.build` makes one from a `ModelSpec`.

| module | concern |
|---|---|
| `cnn`, `rnn`, `mlp` | the built-in networks |
| `custom` | a network of one's own, from its source |
| `registry` | from a spec to a module |
| `tracing` | what each layer received and returned |
| `check` | one batch through a network before training, errors that show the shapes |
| `summary` | layers, shapes, parameters and work of a network |
"""
