"""Search for good options: a study asks Optuna what to try next, and each trial is an ordinary run in the queue.

| module | owns |
|---|---|
| `record` | a study's folder: what was asked, Optuna's journal, the table for viewers; read without Optuna |
| `driver` | the process that drives a study; the supervisor keeps it alive |
| `engine` | Optuna's side: sampler, pruner, journal, importance of options |

Every trial lies in the run store like any other run, so a study survives whatever its runs survive: a new driver
reads the journal, finds the runs by their names and goes on. Nothing here imports torch; Optuna only `engine`.
"""
