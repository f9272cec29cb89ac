"""Layers, parameters and work of a network before it is trained, asked of a process that may import torch."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from typing import TYPE_CHECKING, Any

from lepton_lab.errors import ModelError
from lepton_lab.runs.process import python_command, with_package
from lepton_lab.session.shown import Shown
from lepton_lab.session.texts import count, table
from lepton_lab.words import _, heads

if TYPE_CHECKING:
    from lepton_lab.specs import ModelSpec, Problem

WAIT_SECONDS = 120.0
"""The first answer waits for the import of torch, on a busy machine."""


class Sketch(Shown):
    """A network on paper. Made by `Model.summary()`.

    Attributes:
        values: layers (name, kind, shapes without the batch, parameters, multiplications), num_parameters,
            num_frozen, num_macs and num_flops of one row, parameter_bytes, training_bytes of a step of batch_size rows.
    """

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    @property
    def num_parameters(self) -> int:
        """Numbers that training can move."""
        return int(self.values["num_parameters"])

    def to_dict(self) -> dict[str, Any]:
        return self.values

    def __str__(self) -> str:
        values = self.values
        lines = [heads("layer", "output shape", "parameters", "multiplications")]
        for layer in values["layers"]:
            shape = " x ".join(map(str, layer["output_shape"] or ())) or "-"
            name = f"{layer['name']} ({layer['kind']})"
            lines.append((name, shape, f"{layer['num_parameters']:,}", f"{layer['num_macs']:,}"))
        text = table(lines[0], lines[1:])
        frozen = _(f", {values['num_frozen']:,} frozen") if values["num_frozen"] else ""
        memory = megabytes(values["training_bytes"])
        total = _(
            f"{values['num_parameters']:,} parameters{frozen}, {count(values['num_flops'])} FLOPs a row, about "
            f"{memory} to train with {values['batch_size']} rows a step"
        )
        return f"{text}\n{total}"


def megabytes(num_bytes: int) -> str:
    """A size as a person reads it: "12 MB"."""
    size = num_bytes / 1e6
    return f"{size:.0f} MB" if size >= 10 else f"{size:.1f} MB"


class Sketcher:
    """The process that draws: started with the first question, kept for the next ones, gone with this one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def draw(self, spec: ModelSpec, problem: Problem, batch_size: int | None = None) -> Sketch:
        """A network on paper.

        Args:
            spec: Which network.
            problem: What it is for.
            batch_size: Rows of a step, for the memory (default: 32).

        Raises:
            ModelError: The network cannot be built, or does not suit the problem, or the process does not answer.
        """
        asked = {"model": spec.model_dump(mode="json"), "problem": problem.to_dict(), "batch_size": batch_size}
        said = self._ask(json.dumps(asked))
        if "error" in said:
            raise ModelError(said["error"])
        return Sketch(said["summary"])

    def close(self) -> None:
        """Ends the process."""
        with self._lock:
            self._end()

    def _ask(self, line: str) -> dict[str, Any]:
        with self._lock:
            process = self._running()
            late = threading.Timer(WAIT_SECONDS, process.kill)
            late.start()
            said = ""
            try:
                if process.stdin and process.stdout:
                    process.stdin.write(line + "\n")
                    process.stdin.flush()
                    said = process.stdout.readline()
            except OSError:
                pass
            finally:
                late.cancel()
            if not said:
                self._end()
                raise ModelError(
                    "The network could not be described: the process that builds it ended. Train it to see why."
                )
            answer: dict[str, Any] = json.loads(said)
            return answer

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                python_command("lepton_lab.models.sketch"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=with_package(dict(os.environ)),
                text=True,
            )
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            with contextlib.suppress(OSError):
                self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            self._process = None
