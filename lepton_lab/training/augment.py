"""Random changes of the training rows, for a whole batch at once, on the device that the batch is on.

| rows | light | strong adds |
|---|---|---|
| pictures | shifts by an eighth of a side at most, a square left out | turns by 15 degrees at most, mixed pairs |
| pictures with boxes | shifts, boxes and all | nothing |
| sound (log-mel) | shifts in time, stripes of time and pitch left out | noise |
| text | one token in ten unknown | one in five |
| all others | nothing | nothing |

`flip` mirrors pictures left to right besides; it is never on by itself, because a mirrored 2 is no 2.

Chance follows from the run's seed and the step alone: a resumed run changes its rows as it would have.
Shape suffixes: B rows, C channels, H height, W width, T tokens, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor
from torch.nn import functional

from lepton_lab.training.feed import Change
from lepton_lab.training.resident import Batch

if TYPE_CHECKING:
    from lepton_lab.specs.tasks import Problem

SHIFT = 1 / 8
CUT = 1 / 4
"""Side of the square that is left out, as a share of the picture's (DeVries and Taylor 2017, arXiv 1708.04552)."""

TURN_DEGREES = 15.0
MIX_ALPHA = 0.2
"""Both parameters of the beta distribution of shares (Zhang et al. 2017, arXiv 1710.09412)."""

MASKED = 1 / 6
"""Widest stripe of a spectrogram that is left out (Park et al. 2019, arXiv 1904.08779)."""

NOISE = 0.1
"""Standard deviations of the prepared spectrogram."""

UNKNOWN = 1
"""The token that stands for a left-out one."""

LEFT_OUT = {"light": 0.1, "strong": 0.2}

One = Callable[[Batch, Generator], Batch]


def make_change(problem: Problem, level: str, seed: int, *, flip: bool = False) -> Change | None:
    """What happens to the training rows.

    Args:
        problem: What a row is.
        level: "none", "light" or "strong".
        seed: Of the run.
        flip: Mirror pictures too.
    """
    steps = _steps(problem, level, flip)
    if not steps:
        return None

    def change(block: list[Batch], first_step: int) -> list[Batch]:
        device = block[0].inputs[0].device
        generator = Generator(device).manual_seed((seed * 1_000_003 + first_step) * 2 + 1)
        for one in steps:
            block = [one(batch, generator) for batch in block]
        return block

    return change


def _steps(problem: Problem, level: str, flip: bool) -> list[One]:
    if problem.modality == "image":
        moves = level != "none"
        shift: list[One] = [lambda batch, chance: shifted(batch, chance, SHIFT if moves else 0.0, flip)]
        if not moves:
            return shift if flip else []
        if problem.task == "detection":
            return shift
        turn: list[One] = [turned] if level == "strong" else []
        mixes = level == "strong" and problem.task == "classification"
        mix: list[One] = [lambda batch, chance: mixed(batch, chance, problem.num_outputs)] if mixes else []
        return [*turn, *shift, cut, *mix]
    if level == "none":
        return []
    if problem.modality == "audio":
        return [in_time, masked, *([noisy] if level == "strong" else [])]
    if problem.modality == "text" and problem.task != "language":
        return [lambda batch, chance: left_out(batch, chance, LEFT_OUT[level])]
    return []


def _whole(low: int, high: int, count: int, chance: Generator) -> Tensor:
    """Whole numbers from `low` to `high`, both included: (count,)."""
    return torch.randint(low, high + 1, (count,), generator=chance, device=chance.device)


def shifted(batch: Batch, chance: Generator, share: float, flip: bool) -> Batch:
    """Moves each picture by its own number of pixels, nothing coming in from outside, and mirrors every other one."""
    images_BCHW = batch.inputs[0]
    count, _, height, width = images_BCHW.shape
    down, right = (_whole(-round(share * side), round(share * side), count, chance) for side in (height, width))
    mirrored = _whole(0, int(flip), count, chance).bool()
    rows_BH = torch.arange(height, device=chance.device) - down[:, None]
    columns_BW = torch.arange(width, device=chance.device) - right[:, None]
    columns_BW = torch.where(mirrored[:, None], width - 1 - columns_BW, columns_BW)
    is_there = _inside(rows_BH, height)[:, :, None] & _inside(columns_BW, width)[:, None, :]
    each = torch.arange(count, device=chance.device)[:, None, None]
    rows_BH, columns_BW = rows_BH.clamp(0, height - 1), columns_BW.clamp(0, width - 1)
    moved_BHWC = images_BCHW.permute(0, 2, 3, 1)[each, rows_BH[:, :, None], columns_BW[:, None, :]]
    moved_BHWC = moved_BHWC.masked_fill_(~is_there[..., None], 0.0)
    labels = batch.labels
    if isinstance(labels, list):
        labels = [
            _moved_boxes(boxes, right[i], down[i], mirrored[i], height, width) for i, boxes in enumerate(batch.labels)
        ]
    return Batch((moved_BHWC.permute(0, 3, 1, 2), *batch.inputs[1:]), labels)


def _inside(places: Tensor, side: int) -> Tensor:
    return (places >= 0) & (places < side)


def _moved_boxes(boxes: Tensor, right: Tensor, down: Tensor, is_mirrored: Tensor, height: int, width: int) -> Tensor:
    """Boxes (n, 5) where the picture has taken them; one of which less than half is left in sight goes."""
    left, top, far, low, kind = boxes.unbind(1)
    if is_mirrored:
        left, far = width - far, width - left
    # A mirrored picture is read from the other side after the shift, so it moves the same way.
    moved = torch.stack([left + right, top + down, far + right, low + down], dim=1)
    limits = moved.new_tensor([width, height, width, height])
    kept = moved.clamp(min=0).minimum(limits)
    before = (moved[:, 2:] - moved[:, :2]).clamp(min=0).prod(1)
    after = (kept[:, 2:] - kept[:, :2]).clamp(min=0).prod(1)
    return torch.cat([kept, kind[:, None]], dim=1)[after >= before / 2]


def turned(batch: Batch, chance: Generator) -> Batch:
    """Turns each picture about its middle by its own angle."""
    images_BCHW = batch.inputs[0]
    count, _, height, width = images_BCHW.shape
    angle = (torch.rand(count, generator=chance, device=chance.device) * 2 - 1) * math.radians(TURN_DEGREES)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    turn_B23 = torch.stack([cos, -sin * height / width, zero, sin * width / height, cos, zero], dim=1).view(-1, 2, 3)
    grid = functional.affine_grid(turn_B23, list(images_BCHW.shape), align_corners=False)
    return Batch((functional.grid_sample(images_BCHW, grid, align_corners=False), *batch.inputs[1:]), batch.labels)


def cut(batch: Batch, chance: Generator) -> Batch:
    """Leaves out a square of each picture; a prepared picture's mean is 0."""
    images_BCHW = batch.inputs[0]
    count, _, height, width = images_BCHW.shape
    is_in = _stripe(count, height, round(CUT * height), chance)[:, :, None]
    is_in = is_in & _stripe(count, width, round(CUT * width), chance)[:, None, :]
    return Batch((images_BCHW.masked_fill(is_in[:, None], 0.0), *batch.inputs[1:]), batch.labels)


def _stripe(count: int, side: int, length: int, chance: Generator) -> Tensor:
    """A stretch of a side for each row, that may hang over the end: (count, side), true inside."""
    start = _whole(1 - length, side - 1, count, chance) if length else torch.full((count,), side, device=chance.device)
    places = torch.arange(side, device=chance.device)
    return (places >= start[:, None]) & (places < start[:, None] + length)


def mixed(batch: Batch, chance: Generator, num_classes: int) -> Batch:
    """Each row with a share of another one, and labels (B, K) of the same shares."""
    rows, labels_B = batch.inputs[0], batch.labels
    share = _beta(len(rows), chance)
    share = torch.maximum(share, 1 - share)
    other = torch.randperm(len(rows), generator=chance, device=chance.device)
    along = share.view(-1, *[1] * (rows.ndim - 1))
    truths_BK = functional.one_hot(labels_B, num_classes).to(rows.dtype)
    labels_BK = truths_BK * share[:, None] + truths_BK[other] * (1 - share[:, None])
    return Batch((rows * along + rows[other] * (1 - along), *batch.inputs[1:]), labels_BK)


def _beta(count: int, chance: Generator) -> Tensor:
    """Numbers (count,) with the distribution Beta(a, a), after Jöhnk (1964): it takes a generator of its own."""
    found = torch.full((count,), 0.5, device=chance.device)
    is_open = torch.ones(count, dtype=torch.bool, device=chance.device)
    for _ in range(8):  # a draw is kept with a probability of about 0.93 where a = 0.2
        x, y = torch.rand(2, count, generator=chance, device=chance.device) ** (1 / MIX_ALPHA)
        is_good = is_open & (x + y <= 1) & (x + y > 0)
        found = torch.where(is_good, x / (x + y).clamp(min=1e-38), found)
        is_open = is_open & ~is_good
    return found


def in_time(batch: Batch, chance: Generator) -> Batch:
    """Moves each spectrogram (B, 1, mels, frames) in time; what comes in is as quiet as its quietest frame."""
    sounds = batch.inputs[0]
    count, _, _, frames = sounds.shape
    move = _whole(-round(SHIFT * frames), round(SHIFT * frames), count, chance)
    places = torch.arange(frames, device=chance.device) - move[:, None]
    quiet = sounds.amin(3, keepdim=True)
    index = places.clamp(0, frames - 1)[:, None, None, :].expand_as(sounds)
    moved = torch.where(_inside(places, frames)[:, None, None, :], sounds.gather(3, index), quiet)
    return Batch((moved, *batch.inputs[1:]), batch.labels)


def masked(batch: Batch, chance: Generator) -> Batch:
    """Leaves out a stripe of pitches and a stretch of time of each spectrogram."""
    sounds = batch.inputs[0]
    count, _, mels, frames = sounds.shape
    pitches = _stripe(count, mels, round(MASKED * mels), chance)[:, None, :, None]
    times = _stripe(count, frames, round(MASKED * frames), chance)[:, None, None, :]
    return Batch((sounds.masked_fill(pitches | times, 0.0), *batch.inputs[1:]), batch.labels)


def noisy(batch: Batch, chance: Generator) -> Batch:
    """Adds noise."""
    sounds = batch.inputs[0]
    noise = torch.randn(sounds.shape, generator=chance, device=chance.device)
    return Batch((sounds + NOISE * noise, *batch.inputs[1:]), batch.labels)


def left_out(batch: Batch, chance: Generator, share: float) -> Batch:
    """Makes some tokens unknown; padding stays."""
    tokens_BT = batch.inputs[0]
    is_out = torch.rand(tokens_BT.shape, generator=chance, device=chance.device) < share
    return Batch((tokens_BT.masked_fill(is_out & (tokens_BT > UNKNOWN), UNKNOWN), *batch.inputs[1:]), batch.labels)
