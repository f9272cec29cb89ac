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
        return self.shell.user_ns

    def cell(self) -> str | None:
        """The notebook's path and the cell's id, as JupyterLab, Notebook 7 and VS Code send them."""
        parent = getattr(self.shell, "parent_header", None) or {}
        get_parent = getattr(self.shell, "get_parent", None)
        parent = get_parent() if get_parent else parent
        cell_id = (parent or {}).get("metadata", {}).get("cellId")
        if not cell_id:
            return None
        return f"{os.environ.get('JPY_SESSION_NAME', 'notebook')}#{cell_id}"


def detect() -> Host:
    """The host of this process; IPython is asked only where it is loaded already."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return NotebookHost(shell) if shell is not None else Host()
