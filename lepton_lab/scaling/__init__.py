"""One run on several processes of one host: torch's elastic agent in the worker, each step's rows shared by its ranks.

| file | what it does |
|---|---|
| `together.py` | the worker's side: the elastic agent, the line to rank 0, what came out |
| `agent.py` | the agent, which starts the ranks anew where one has died, and their meeting place |
| `line.py` | events on their way from rank 0 to the worker, who alone writes them |
| `ranks.py` | what a rank does |
| `training.py` | the training loop, the same in every rank; rank 0 takes commands and saves checkpoints |
| `step.py` | a step: each rank takes its share of the batch, gradients are added up |
| `norms.py`, `chance.py` | batch norms and dropout as one process would compute them |
| `validation.py` | a split shared by the ranks |
| `team.py`, `memory.py` | sums over the ranks: gloo or NCCL; the memory of one host |
| `trial.py` | a few steps both ways, before a run begins: several processes only where they are faster |
| `whether.py` | whether the network is cut over the ranks: where it would not fit into each of them |
| `deferred.py`, `units.py` | its tensors made one after the other; which layers gather weights, and when |
| `cutting.py`, `cut_step.py`, `cut_training.py`, `cut_files.py` | such a network: its step, loop, checkpoints |
| `cut_muon.py` | matrices that come together to be turned |
| `cluster.py`, `placing.py` | on a Ray cluster: the worker's side, and the process that speaks with Ray |
| `door.py`, `far.py`, `shelf.py`, `pieces.py` | the worker's door, ranks on other hosts, the ways between |

Only a run with `devices` above 1, or with a `cluster`, loads any of this.
"""
