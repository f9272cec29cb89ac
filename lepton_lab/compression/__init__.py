"""From a trained network to small ones: a table of variants, each a real bundle that the inference server runs.

| module | owns |
|---|---|
| `record` | what lies in a run's `compression/` folder: the table, its rows, which one is chosen (no torch) |
| `job` | what the worker does: variant by variant, then the comparison |
| `variants` | from a recipe to a bundle; what two recipes share is made once |
| `material`, `tuning` | rows and the original's answers, and the fine-tuning loop |
| `rounding`, `pruning`, `sharing` | what holds the weights in shape while they are fine-tuned |
| `slimming`, `channels`, `folding`, `students` | smaller networks: whole channels out, norms folded, students |
| `int8` | 8-bit ONNX, dynamic and static |
| `measure`, `memory` | how good, how fast, how large |

Only `record` may be imported where torch must not be loaded.
"""
