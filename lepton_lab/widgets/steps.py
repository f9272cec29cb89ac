"""Each step of the studio as a widget of its own, on the session of this kernel.

```python
import lepton_lab as lepton

lepton.widgets.DataPicker()
```
"""

from __future__ import annotations

from typing import Any, ClassVar

from lepton_lab import session as sessions
from lepton_lab.widgets.studio import Studio


class _Step(Studio):
    """One step; it shows what the session holds already, whichever face put it there."""

    STEP: ClassVar[str]

    def __init__(self, session: sessions.Session | None = None, **options: Any) -> None:
        """Opens the step; `session` is by default the kernel's own."""
        super().__init__(session or sessions.current(), only=self.STEP, step=self.STEP, **options)


class DataPicker(_Step):
    """Pick a dataset or a file, see its card."""

    STEP = "data"


class NetworkPicker(_Step):
    """Pick a network, set its options, see it on paper."""

    STEP = "model"


class Trainer(_Step):
    """Train, and watch and steer the run."""

    STEP = "train"


class Evaluation(_Step):
    """The report on the test rows, mistakes, threshold and explanation."""

    STEP = "evaluate"


class Deployment(_Step):
    """Compress, put online, try it."""

    STEP = "deploy"
