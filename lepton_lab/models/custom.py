"""A network of one's own: a `torch.nn.Module` built from the source of a notebook cell or a file."""

from __future__ import annotations

import hashlib
import inspect
import linecache
import math
import sys
import types
from typing import Any, TypeGuard

import torch
from torch import nn

from lepton_lab.errors import ModelError, UnknownName
from lepton_lab.specs import ModelSpec, Problem

OFFERED = {"torch": torch, "nn": nn, "F": nn.functional, "math": math}
"""Names that a source may use without importing them; its own imports and definitions win."""


def build_custom(spec: ModelSpec, problem: Problem) -> nn.Module:
    """Executes a spec's source and makes an instance of its class.

    The options are the constructor's keyword arguments. Where the constructor asks for them by name it is given too:
    `input_shape` and `output_shape` (tuples, without the batch), `num_classes` (int, the width of the last layer),
    `vocabulary` (int, of tokens) and `problem` (a `specs.Problem`, with all that there is to know).

    Raises:
        ModelError: The source does not run, or the class is missing, is no module or refuses its arguments.
    """
    cls = _find_class(spec)
    arguments = _arguments(cls, spec, problem)
    try:
        return cls(**arguments)
    except Exception as error:
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise ModelError(
            f"{spec.class_name}({given}) cannot be built: {error} ({type(error).__name__}{_place(error)})."
        ) from error


def _find_class(spec: ModelSpec) -> type[nn.Module]:
    namespace = _execute(spec.source or "")
    found = namespace.get(spec.class_name or "")
    networks = [n for n, value in namespace.items() if _is_network(value) and value.__module__ == namespace["__name__"]]
    if found is None:
        raise ModelError(str(UnknownName("class of the given source", spec.class_name or "", networks)))
    if not _is_network(found):
        raise ModelError(f"{spec.class_name} is no torch.nn.Module; write `class {spec.class_name}(nn.Module)`.")
    return found


def _is_network(value: Any) -> TypeGuard[type[nn.Module]]:
    return isinstance(value, type) and issubclass(value, nn.Module)


def _execute(source: str) -> dict[str, Any]:
    """Runs the source as a module of its own, which tracebacks can quote."""
    name = "lepton_network_" + hashlib.sha256(source.encode()).hexdigest()[:16]
    file = f"<{name}>"
    module = types.ModuleType(name)
    module.__dict__.update(OFFERED)
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    sys.modules[name] = module
    try:
        exec(compile(source, file, "exec"), module.__dict__)
    except Exception as error:
        del sys.modules[name]
        said = error.msg if isinstance(error, SyntaxError) else error
        raise ModelError(
            f"The network's source does not run: {said} ({type(error).__name__}{_place(error)}). It is executed "
            "alone in the training process, so it has to import and define all that it uses."
        ) from error
    return module.__dict__


def _place(error: BaseException) -> str:
    """Where in a custom source an error was raised, as ", line 7"; empty when it was elsewhere."""
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}"
    frame, line = error.__traceback__, None
    while frame is not None:
        if frame.tb_frame.f_code.co_filename.startswith("<lepton_network_"):
            line = frame.tb_lineno
        frame = frame.tb_next
    return f", line {line}" if line else ""


def _arguments(cls: type[nn.Module], spec: ModelSpec, problem: Problem) -> dict[str, Any]:
    """The constructor's keyword arguments, refused when a name is unknown to it or a needed one is missing."""
    parameters = dict(inspect.signature(cls).parameters)
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    known = [name for name, p in parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    offered = {
        "input_shape": tuple(problem.input_shape),
        "output_shape": tuple(problem.output_shape),
        "num_classes": problem.num_outputs,
        "vocabulary": problem.vocabulary,
        "problem": problem,
    }
    arguments = {name: value for name, value in offered.items() if name in known} | spec.options
    for name in arguments:
        if name not in known and not takes_any:
            raise ModelError(str(UnknownName(f"option of {spec.class_name}", name, known)))
    missing = [n for n in known if n not in arguments and parameters[n].default is inspect.Parameter.empty]
    if missing:
        raise ModelError(
            f"{spec.class_name} needs a value for {', '.join(missing)}; give it as an option of the model, or a "
            "default in the constructor."
        )
    return arguments
