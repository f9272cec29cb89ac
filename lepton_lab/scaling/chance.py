"""Dropout as one process would draw it: each rank draws for the whole batch from the same state, and takes its rows."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from lepton_lab.scaling.team import Window


def share_dropout(module: nn.Module, window: Window) -> None:
    """Lets every `nn.Dropout` of a network leave out what it would leave out in one process.

    Dropout inside torch's recurrent layers, and what a network draws by itself, is drawn by each rank for its own rows.
    """
    for each in module.modules():
        if type(each) is nn.Dropout:
            each.forward = partial(_forward, each, window)  # type: ignore[method-assign]


def _forward(dropout: nn.Dropout, window: Window, values: Tensor) -> Tensor:
    share = window.share
    own = share.stop - share.start
    is_plain = not dropout.training or not 0 < dropout.p < 1 or share.is_whole or values.device.type != "cpu"
    if is_plain or values.shape[0] % own:
        return nn.Dropout.forward(dropout, values)
    per_row = values.shape[0] // own
    shape = (per_row * share.num_rows, *values.shape[1:])
    noise = torch.empty(shape, dtype=values.dtype).bernoulli_(1 - dropout.p).div_(1 - dropout.p)
    return values * noise[per_row * share.start : per_row * share.stop]
