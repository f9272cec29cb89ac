"""Where a session lives: a notebook kernel, another IPython, or a plain script; the seam that tests replace."""

from __future__ import annotations

import os
import sys
from typing import Any


class Host:
    """A plain script or terminal: nothing is shared, and waiting is what a person expects."""

    is_notebook = False

    def namespace(self) -> dict[str, Any]:
        """The variables that a line may name."""
        return {}

    def cell(self) -> str | None:
        """A lasting name of the cell that runs now, if cells have one: what is started again from it is replaced."""
        return None


class NotebookHost(Host):
    """An IPython shell; `is_notebook` where a kernel drives it."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.is_notebook = hasattr(shell, "kernel")

    def namespace(self) -> dict[str, Any]:
        variables: dict[str, Any] = self.shell.user_ns
        return variables

    def cell(self) -> str | None:
        """The notebook's path and the cell's id, as JupyterLab, Notebook 7 and VS Code send them."""
        get_parent = getattr(self.shell, "get_parent", dict)
        cell_id = (get_parent() or {}).get("metadata", {}).get("cellId")
        if not cell_id:
            return None
        return f"{os.environ.get('JPY_SESSION_NAME', 'notebook')}#{cell_id}"


def detect() -> Host:
    """The host of this process; IPython is asked only where it is loaded already."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return NotebookHost(shell) if shell is not None else Host()
