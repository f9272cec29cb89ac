"""The source of a network of one's own: the class, and everything of the notebook that its code needs.

A network travels to the worker process as text. `source_of` finds the text of a class, also where it was defined in
a notebook cell, and `complete` puts in front of it what its code uses by name: imports, helper functions and classes,
constants. Nothing is pickled, and what cannot travel is named before training starts.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import site
import symtable
import sys
import sysconfig
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lepton_lab.errors import ModelError

ADVICE = "Put the network's code, with its imports, into one cell below %%lepton model NAME."
_MODULE_NAMES = {"__name__", "__file__", "__doc__", "__spec__", "__package__", "__loader__", "__builtins__"}


def is_network(value: Any) -> bool:
    """Whether this is a class made from torch.nn.Module, told without importing torch."""
    bases = value.__mro__ if isinstance(value, type) else ()
    return any(base.__module__ == "torch.nn.modules.module" and base.__name__ == "Module" for base in bases)


def source_of(network: type) -> str:
    """Complete source that defines the class in an empty namespace.

    Raises:
        ModelError: If the source of the class, or of something it uses, cannot be had.
    """
    return _Collector().collect(network)


def complete(cell: str, namespace: dict[str, Any]) -> str:
    """A cell's source, with what it uses of the notebook (imports above all) put in front of it.

    Names that the notebook does not know are left as they are: the worker says so by name.

    Raises:
        ModelError: If the cell is not Python, or uses a value that cannot travel.
    """
    _syntax(cell)
    collector = _Collector()
    for name in free_names(cell):
        if name in namespace:
            collector.need(name, namespace[name])
    return collector.text(cell)


def class_in(cell: str, wanted: str | None) -> str:
    """The name of the class of a cell that is the network: the wanted one, else the last one made from a Module.

    Raises:
        ModelError: If the cell is not Python or has no such class.
    """
    classes = [node for node in _syntax(cell).body if isinstance(node, ast.ClassDef)]
    names = [node.name for node in classes]
    if wanted and wanted in names:
        return wanted
    if wanted:
        raise ModelError(f"The cell has no class {wanted}; it defines {', '.join(names) or 'no class'}.")
    networks = [node.name for node in classes if any(ast.unparse(base).endswith("Module") for base in node.bases)]
    if not names:
        raise ModelError("The cell defines no class; write `class Net(torch.nn.Module):` with __init__ and forward.")
    return (networks or names)[-1]


def free_names(source: str) -> list[str]:
    """The names that a source uses and does not define itself, builtins apart; in order of their alphabet."""
    table = symtable.symtable(source, "<network>", "exec")
    defined = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    used = {name for scope in _scopes(table) for name in _global_names(scope)}
    return sorted(used - defined - set(dir(builtins)) - _MODULE_NAMES)


def _scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _scopes(child)


def _global_names(scope: symtable.SymbolTable) -> Iterator[str]:
    top = scope.get_type() == "module"
    for symbol in scope.get_symbols():
        if symbol.is_referenced() and (symbol.is_global() or top):
            yield symbol.get_name()


def _syntax(cell: str) -> ast.Module:
    try:
        return ast.parse(cell)
    except SyntaxError as error:
        raise ModelError(f"The network's code is not valid Python: {error.msg} in line {error.lineno}.") from None


class _Collector:
    """Gathers, in an order that runs, the pieces of source that a network needs."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._imports: list[str] = []
        self._pieces: list[str] = []

    def collect(self, network: type) -> str:
        self._values[network.__name__] = network
        self._define(network)
        return self.text()

    def text(self, last: str = "") -> str:
        blocks = ["\n".join(sorted(set(self._imports))), *self._pieces, last.strip("\n")]
        future = "from __future__ import annotations\n"
        head = ""
        if future in blocks[-1] and last:
            head, blocks[-1] = future, blocks[-1].replace(future, "", 1)
        return head + "\n\n\n".join(block for block in blocks if block) + "\n"

    def need(self, name: str, value: Any) -> None:
        """Makes a name stand for this value in front of the code that uses it."""
        if name in self._values:
            if self._values[name] is not value:
                raise ModelError(f"Two different things are called {name} in the network's code. {ADVICE}")
            return
        self._values[name] = value
        if isinstance(value, types.ModuleType):
            self._imports.append(_import_module(name, value))
        elif isinstance(value, type | types.FunctionType) and _is_local(value):
            if value.__name__ != name:
                raise ModelError(f"{name} is another name for {value.__name__}; use {value.__name__} itself. {ADVICE}")
            self._define(value)
        elif _is_importable(value):
            self._imports.append(f"from {value.__module__} import {_as(value.__qualname__, name)}")
        else:
            self._pieces.append(_constant(name, value))

    def _define(self, thing: Any) -> None:
        source, namespace = _definition(thing)
        for name in free_names(source):
            if name == thing.__name__:
                continue
            if name not in namespace:
                raise ModelError(f"{thing.__name__} uses {name}, which is not defined. {ADVICE}")
            self.need(name, namespace[name])
        self._pieces.append(source)


def _as(name: str, alias: str) -> str:
    return name if name == alias else f"{name} as {alias}"


def _import_module(name: str, module: types.ModuleType) -> str:
    if _is_own_file(module):
        raise ModelError(
            f"The module {module.__name__} is a file of your own, which the worker cannot import. {ADVICE}"
        )
    path, _, last = module.__name__.rpartition(".")
    if module.__name__ == name:
        return f"import {name}"
    return f"from {path} import {_as(last, name)}" if path else f"import {module.__name__} as {name}"


def _constant(name: str, value: Any) -> str:
    text = repr(value)
    try:
        same = len(text) <= 100_000 and ast.literal_eval(text) == value
    except (ValueError, SyntaxError, TypeError):
        same = False
    if not same:
        kind = type(value).__name__
        raise ModelError(
            f"The network uses {name}, a value of type {kind} that cannot travel to the training process. "
            f"Make it inside the class, or pass it as an option. {ADVICE}"
        )
    return f"{name} = {text}"


def _is_importable(value: Any) -> bool:
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    name = getattr(value, "__qualname__", "")
    return module is not None and not _is_own_file(module) and getattr(module, name, None) is value


def _is_local(value: Any) -> bool:
    module = sys.modules.get(value.__module__)
    return module is None or _is_own_file(module)


def _is_own_file(module: types.ModuleType) -> bool:
    """Whether a module is the notebook, or a file that is not installed where a worker would find it."""
    if module.__name__ == "__main__":
        return True
    file = getattr(module, "__file__", None)
    if file is None or module.__name__.partition(".")[0] == "lepton_lab":
        return False
    installed = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), *site.getsitepackages()]
    installed += [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), site.getusersitepackages()]
    path = Path(file).resolve()
    return not any(path.is_relative_to(Path(folder).resolve()) for folder in installed)


def _definition(thing: Any) -> tuple[str, dict[str, Any]]:
    """(source, global names) of a class or function, found through the code object of a function in it."""
    function = _a_function(thing)
    if function is None:
        raise ModelError(f"The source of {thing.__name__} cannot be found: it has no method of its own. {ADVICE}")
    lines = linecache.getlines(function.__code__.co_filename, function.__globals__)
    if not lines:
        raise ModelError(f"The source of {thing.__name__} cannot be found. {ADVICE}")
    text = "".join(lines)
    node = _node_at(ast.parse(text), thing, function.__code__.co_firstlineno)
    if node is None:
        raise ModelError(f"The source of {thing.__name__} has changed since it was defined; run its cell again.")
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    body = "".join(lines[first - 1 : node.end_lineno])
    return inspect.cleandoc("\n" + body) if node.col_offset else body.rstrip(), function.__globals__


def _a_function(thing: Any) -> types.FunctionType | None:
    if isinstance(thing, types.FunctionType):
        return inspect.unwrap(thing)
    for member in vars(thing).values():
        inner = getattr(member, "__func__", getattr(member, "fget", member))
        if isinstance(inner, types.FunctionType) and inner.__qualname__.startswith(f"{thing.__qualname__}."):
            return inspect.unwrap(inner)
    return None


def _node_at(tree: ast.Module, thing: Any, line: int) -> ast.ClassDef | ast.FunctionDef | None:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == thing.__name__:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            if first <= line <= (node.end_lineno or first):
                return node
    return None
