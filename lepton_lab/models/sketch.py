"""Networks on paper for processes that do not import torch: `python -m lepton_lab.models.sketch`.

Reads a line of JSON, `{"model": ModelSpec, "problem": Problem, "batch_size": rows or null}`, and answers with one:
`{"summary": ModelSummary}` or `{"error": sentence, "kind": class of the error}`. It goes when its input ends.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from lepton_lab.errors import LeptonError


def answer(line: str) -> dict[str, Any]:
    """What to say to one line."""
    from lepton_lab.models.summary import summary
    from lepton_lab.specs import ModelSpec, Problem

    try:
        asked = json.loads(line)
        spec, problem = ModelSpec.parse(asked["model"]), Problem.from_dict(asked["problem"])
        return {"summary": summary(spec, problem, batch_size=asked.get("batch_size")).to_dict()}
    except LeptonError as error:
        return {"error": str(error), "kind": type(error).__name__}
    except Exception as error:  # a network of one's own may raise anything
        return {"error": f"The network cannot be described: {error} ({type(error).__name__}).", "kind": "ModelError"}


def serve(lines: Iterable[str], output: TextIO) -> None:
    """Answers line by line; what a network of one's own prints goes to stderr, not among the answers."""
    for line in lines:
        with contextlib.redirect_stdout(sys.stderr):
            said = answer(line)
        output.write(json.dumps(said) + "\n")
        output.flush()


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    serve(sys.stdin, sys.stdout)
