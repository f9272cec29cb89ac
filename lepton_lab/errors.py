"""The exceptions of lepton_lab; every message says what was given, what was expected and what to do.

```
LeptonError
├── SpecError            an option has a value that it cannot have
│   └── UnknownName      a dataset, model, run, endpoint or verb that does not exist
├── DataError            a source cannot be read, or its content cannot be trained on
├── ModelError           a network cannot be built, or does not fit the data
├── RunError             a run cannot do what was asked
│   ├── RunFailed        training ended with an error; `reason` names it
│   └── StoreError       the run store cannot be read or written (full disk, permissions)
├── ServingError         a bundle, an endpoint or a request is wrong
│   └── EndpointError    an endpoint cannot start or does not answer
└── MissingExtra         an optional dependency is not installed
```
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LeptonError(Exception):
    """Base of everything that lepton_lab raises on purpose."""


class SpecError(LeptonError, ValueError):
    """An option has a value that it cannot have."""


class UnknownName(SpecError, LookupError):
    """Something was asked for by a name that does not exist.

    Args:
        kind: What was looked for, in the singular ("dataset", "model", "run").
        name: The name that was given.
        known: The names that exist.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, sorted(set(known))
        near = difflib.get_close_matches(name, self.known, n=3, cutoff=0.5)
        if near:
            hint = "Did you mean " + " or ".join(repr(n) for n in near) + "?"
        elif self.known:
            shown = ", ".join(self.known[:12]) + (", ..." if len(self.known) > 12 else "")
            hint = f"Known: {shown}."
        else:
            hint = f"There is no {kind} yet."
        super().__init__(f"No {kind} is called {name!r}. {hint}")


class DataError(LeptonError):
    """A source cannot be read, or its content cannot be trained on."""


class ModelError(LeptonError):
    """A network cannot be built, or does not fit the data."""


class RunError(LeptonError):
    """A run cannot do what was asked."""


class RunFailed(RunError):
    """Training ended with an error.

    Args:
        message: One sentence for a person.
        reason: The machine-readable name, as in the run's record ("nan_loss", "disk_full", ...).
    """

    def __init__(self, message: str, reason: str = "error") -> None:
        self.reason = reason
        super().__init__(message)


class StoreError(RunError):
    """The run store cannot be read or written.

    Args:
        message: One sentence for a person.
        reason: The machine-readable name ("disk_full", "unwritable", "unreadable").
    """

    def __init__(self, message: str, reason: str = "unreadable") -> None:
        self.reason = reason
        super().__init__(message)


class ServingError(LeptonError):
    """A bundle, an endpoint or a request is wrong."""


class EndpointError(ServingError):
    """An endpoint cannot start or does not answer."""


class MissingExtra(LeptonError, ImportError):
    """An optional dependency is not installed.

    Args:
        module: The module that could not be imported.
        extra: The extra of lepton-lab that brings it.
        purpose: What it is needed for, as a noun ("deployment").
    """

    def __init__(self, module: str, extra: str, purpose: str) -> None:
        self.module, self.extra = module, extra
        super().__init__(
            f"{purpose} needs the package {module!r}, which is not installed. "
            f'Install it with: pip install "lepton-lab[{extra}]"'
        )
