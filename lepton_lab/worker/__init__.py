"""The process that trains: `python -m lepton_lab.worker --store PATH JOB`.

| file | what it does |
|---|---|
| `__main__.py` | reads the command line; waits for a run, warmed up, where it is a spare |
| `seated.py` | takes a run's seat, trains, evaluates the best weights on the test part |
| `afterwards.py` | what is made of a finished run: the bundle, other tools' formats, small variants, a replay |
"""

from lepton_lab.worker.seated import work

__all__ = ["work"]
