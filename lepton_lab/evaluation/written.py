"""What a language model writes: a passage in its report, beside the figures that few can picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lepton_lab.training.resident import Rows

if TYPE_CHECKING:
    from lepton_lab.data import PreparedDataset

PROMPT_TOKENS, WRITTEN_TOKENS = 48, 320
TEMPERATURE = 0.8


def written(module: nn.Module, dataset: PreparedDataset, rows: Rows) -> dict[str, Any]:
    """How the network goes on from the beginning of a split; nothing where it cannot write or tokens are no text.

    The same network writes the same passage each time, and torch's random state is not touched.

    Args:
        module: Has `generate(prompt, num_tokens, temperature=, seed=)` if it can write.
        dataset: Its tokenizer turns tokens into text.
        rows: The split.

    Returns:
        `{"sample": {"prompt": text, "text": text, "temperature": number}}`, or nothing.
    """
    generate = getattr(module, "generate", None)
    tokenizer = getattr(dataset.preparation, "tokenizer", None)
    if not callable(generate) or tokenizer is None:
        return {}
    first = rows.batch(torch.zeros(1, dtype=torch.int64, device=next(module.parameters()).device)).inputs[0][0]
    prompt = first[:PROMPT_TOKENS].tolist()
    new = generate(prompt, WRITTEN_TOKENS, temperature=TEMPERATURE, seed=0)
    said = {"prompt": tokenizer.decode(prompt), "text": tokenizer.decode(new), "temperature": TEMPERATURE}
    return {"sample": said}
