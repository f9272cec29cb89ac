"""The layer rules, proven on the source: a room imports from rooms below it, and heavy packages only where it may.

Every import statement counts, also one inside a function or under TYPE_CHECKING: a lazy import is a cheaper start, not
a way round the order.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "lepton_lab"

ORDER = [
    "errors",
    "words",
    "specs",
    "runs",
    "data",
    "models",
    "training",
    "scaling",
    "evaluation",
    "serving",
    "compression",
    "tuning",
    "worker",
    "session",
    "verbs",
    "widgets",
    "magics",
    "api",
    "demo",
    "cli",
    "__main__",
]
"""The rooms, ground floor first."""
NARROW = {
    "errors": set(),
    "words": set(),
    "specs": {"errors", "words"},
    "jupyter": {"errors", "words", "specs", "runs"},
}
"""Rooms that may import from these alone."""
DOOR = ""
"""The package's `__init__.py`: hands names on from every room, and loads none of them by itself."""

TORCH = {"torch", "torchvision"}
FRAMES = {"numpy", "pandas", "polars", "pyarrow", "sklearn", "scipy"}
DRAWING = {"plotly", "ipywidgets", "anywidget", "IPython"}
FORBIDDEN = {
    "errors": TORCH | FRAMES | DRAWING,
    "words": TORCH | FRAMES | DRAWING,
    "specs": TORCH | FRAMES | DRAWING,
    "runs": TORCH | FRAMES | DRAWING,
    "jupyter": TORCH | FRAMES | DRAWING,
    "data": TORCH | DRAWING,
    "models": DRAWING,
    "training": DRAWING,
    "scaling": DRAWING,
    "evaluation": DRAWING,
    "serving": TORCH | DRAWING,
    "compression": DRAWING,
    "tuning": TORCH | FRAMES | DRAWING,
    "worker": DRAWING,
    **dict.fromkeys(["session", "verbs", "widgets", "magics", "api", "demo", "cli", "__main__", DOOR], TORCH),
}
EXPORT = "lepton_lab.serving.export"
"""The one module of the serving room that may use torch, inside its functions: it runs in the worker."""
LATE = FRAMES | {"plotly"}
"""Packages that the faces import inside functions only, so that `%load_ext` stays quick."""
FACES = {"session", "verbs", "widgets", "magics", "api", "demo", "cli", "__main__", DOOR}
DYNAMIC = {"lepton_lab", "lepton_lab.data", "lepton_lab.data.preparation"}
"""Modules that look another one up by a name from a table of their own; all others say what they import."""


class Import(NamedTuple):
    """One imported module."""

    target: str
    line: int
    is_late: bool
    """Whether it is inside a function, or for the type checker only."""


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def room_of(module: str) -> str:
    return [*module.split("."), DOOR][1]


def imports_of(module: str, source: str, *, is_package: bool = False) -> Iterator[Import]:
    """Every import of a module's source; a dynamic one whose name is not written down has the target "?"."""

    def visit(node: ast.AST, is_late: bool) -> Iterator[Import]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            is_late = True
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            is_late = True
        for target in targets(node, module, is_package):
            yield Import(target, node.lineno, is_late)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, is_late)

    return visit(ast.parse(source), False)


def targets(node: ast.AST, module: str, is_package: bool) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parts = module.split(".")[: None if is_package and node.level == 1 else -node.level + is_package]
            base = ".".join([*parts, *filter(None, [node.module])])
        # `from lepton_lab import session` names a room; `from lepton_lab.session import Run` a name in one.
        return [f"{base}.{alias.name}" for alias in node.names] if base == "lepton_lab" else [base]
    if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
        name = node.args[0] if node.args else None
        return [str(name.value) if isinstance(name, ast.Constant) else "?"]
    return []


def broken_rules(module: str, source: str, *, is_package: bool = False) -> list[str]:
    """What a module imports against the rules, in sentences."""
    room, found = room_of(module), []
    for target, line, is_late in imports_of(module, source, is_package=is_package):
        top = target.split(".")[0]
        said = f"{module}, line {line}, imports {target}"
        if target == "?":
            if module not in DYNAMIC:
                found.append(f"{said}: the name cannot be told from the source")
        elif top == "lepton_lab":
            if not may_use(room, target, is_late):
                found.append(f"{said}: {room or 'the door'} may not import from there")
        elif top in TORCH and module == EXPORT:
            if not is_late:
                found.append(f"{said}: only inside a function")
        elif top in FORBIDDEN[room]:
            found.append(f"{said}: never in {room or 'the door'}")
        elif top in LATE and room in FACES and not is_late:
            found.append(f"{said}: only inside a function")
    return found


def may_use(room: str, target: str, is_late: bool) -> bool:
    other = room_of(target)
    if other == room or target == "lepton_lab.__version__":
        return True
    if room == DOOR:
        return is_late
    if room in NARROW:
        return other in NARROW[room]
    return other in ORDER and ORDER.index(other) < ORDER.index(room)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=module_name)
def test_a_module_imports_only_what_its_room_may(path):
    assert broken_rules(module_name(path), path.read_text(), is_package=path.name == "__init__.py") == []


def test_every_room_has_a_place_in_the_order():
    rooms = {room_of(module_name(path)) for path in PACKAGE.rglob("*.py")}
    assert rooms == {*ORDER, "jupyter", DOOR}
    assert set(FORBIDDEN) == rooms


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("lepton_lab.runs.queue", "import torch"),
        ("lepton_lab.runs.queue", "def f():\n    import numpy as np"),
        ("lepton_lab.runs.queue", "from lepton_lab.data import load"),
        ("lepton_lab.runs.queue", "from lepton_lab import session"),
        ("lepton_lab.runs.queue", "import lepton_lab"),
        ("lepton_lab.runs.queue", "from ..training import loop"),
        ("lepton_lab.runs.queue", "from .. import worker"),
        ("lepton_lab.runs.queue", "class A:\n    def f(self):\n        from torch.nn import Module"),
        ("lepton_lab.runs.queue", "from importlib import import_module\nimport_module('torch')"),
        ("lepton_lab.runs.queue", "import importlib\nname = 'tor' + 'ch'\nimportlib.import_module(name)"),
        ("lepton_lab.runs.queue", "if TYPE_CHECKING:\n    from lepton_lab.models import registry"),
        ("lepton_lab.jupyter.rest", "from lepton_lab.session import Session"),
        ("lepton_lab.jupyter.rest", "import pandas"),
        ("lepton_lab.specs", "from lepton_lab.runs import Store"),
        ("lepton_lab.errors", "from lepton_lab.specs import RunSpec"),
        ("lepton_lab.data.arrays", "def f():\n    import torch"),
        ("lepton_lab.serving.engine", "def f():\n    import torch"),
        ("lepton_lab.serving.export", "import torch"),
        ("lepton_lab.session.run", "def f():\n    import torch"),
        ("lepton_lab.session.run", "from lepton_lab.verbs import parse"),
        ("lepton_lab.session.run", "import polars"),
        ("lepton_lab.widgets.reports", "import plotly.graph_objects as go"),
        ("lepton_lab.verbs.line", "from lepton_lab.widgets import display"),
        ("lepton_lab.magics.magic", "from lepton_lab.cli import main"),
        ("lepton_lab.cli", "try:\n    import torch\nexcept ImportError:\n    pass"),
        ("lepton_lab", "from lepton_lab.session import Session"),
    ],
)
def test_a_module_that_breaks_a_rule_is_caught(module, source):
    assert len(broken_rules(module, source)) == 1, source


def test_what_is_allowed_is_not_caught():
    for module, source in [
        ("lepton_lab.runs.queue", "import sqlite3\nfrom lepton_lab.errors import StoreError\nfrom .paths import Store"),
        ("lepton_lab.serving.export", "def f():\n    import torch"),
        ("lepton_lab.session.run", "def f():\n    import polars"),
        ("lepton_lab.cli", "def f():\n    from lepton_lab import __version__"),
        ("lepton_lab", "def __getattr__(name):\n    from lepton_lab.session import Session"),
    ]:
        assert broken_rules(module, source) == [], source
    assert broken_rules("lepton_lab.runs", "from .paths import Store", is_package=True) == []
    assert broken_rules("lepton_lab.runs", "from ..data import load", is_package=True) != []
