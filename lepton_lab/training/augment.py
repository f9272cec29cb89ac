"""Random changes of the training rows, for a whole batch at once, on the device that the batch is on.

| rows | light | strong adds | on demand |
|---|---|---|---|
| pictures | `shift` by an eighth of a side, `cutout` of a square | `rotate`, `mixup` | `crop`, `erase`, `flip` |
| pictures with boxes | `shift`, boxes and all | nothing | `flip` |
| sound (log-mel) | `shift` in time, `spec_augment`: stripes of time and pitch left out | `noise` | |
| text | `word_dropout`: one token in ten unknown | one in five | |
| all others | nothing | nothing | |

Each is an option of its own, too (see `changes`). `flip` is never on by itself, because a mirrored 2 is no 2.

Chance follows from the run's seed and the step alone: a resumed run changes its rows as it would have.
Shape suffixes: B rows, C channels, H height, W width, T tokens, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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

SMALLEST_CROP = 0.8
"""Side of the smallest part of a picture that is zoomed into."""

ERASED_AREA, ERASED_SHAPE = (0.02, 0.2), (0.3, 1 / 0.3)
"""Share of the picture and proportions of the rectangle that is filled with noise in every other picture (Zhong et al.
2017, arXiv 1708.04896)."""

MASKED = 1 / 6
"""Widest stripe of a spectrogram that is left out (Park et al. 2019, arXiv 1904.08779)."""

NOISE = 0.1
"""Standard deviations of the prepared spectrogram."""

UNKNOWN = 1
"""The token that stands for a left-out one."""

One = Callable[[Batch, Generator], Batch]


def make_change(problem: Problem, changes: Sequence[str], seed: int, *, word_dropout: float = 0.0) -> Change | None:
    """What happens to the training rows.

    Args:
        problem: What a row is.
        changes: Names of changes that fit it, from `changes.choose_changes`.
        seed: Of the run.
        word_dropout: Share of the tokens that become unknown, for the change of that name.
    """
    steps = _steps(problem, changes, word_dropout)
    if not steps:
        return None

    def change(block: list[Batch], first_step: int) -> list[Batch]:
        device = block[0].inputs[0].device
        generator = Generator(device).manual_seed((seed * 1_000_003 + first_step) * 2 + 1)
        for one in steps:
            block = [one(batch, generator) for batch in block]
        return block

    return change


def _steps(problem: Problem, changes: Sequence[str], word_dropout: float) -> list[One]:
    if problem.modality == "image":
        share, flip = SHIFT if "shift" in changes else 0.0, "flip" in changes
        by_name: dict[str, One] = {
            "crop": cropped,
            "rotate": turned,
            "shift": lambda batch, chance: shifted(batch, chance, share, flip),
            "cutout": cut,
            "erase": erased,
            "mixup": lambda batch, chance: mixed(batch, chance, problem.num_outputs),
        }
        names = ["shift" if name == "flip" else name for name in changes]  # both in one pass
    else:
        by_name = {
            "shift": in_time,
            "spec_augment": masked,
            "noise": noisy,
            "word_dropout": lambda batch, chance: left_out(batch, chance, word_dropout),
        }
        names = list(changes)
    return [by_name[name] for name in dict.fromkeys(names)]


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


def cropped(batch: Batch, chance: Generator) -> Batch:
    """Zooms into a part of each picture, of four fifths to all of its sides, at its own place."""
    images_BCHW = batch.inputs[0]
    count = len(images_BCHW)
    draws_3B = torch.rand(3, count, generator=chance, device=chance.device)
    side = SMALLEST_CROP + (1 - SMALLEST_CROP) * draws_3B[0]
    right, down = (draws_3B[1:] * 2 - 1) * (1 - side)
    zero = torch.zeros_like(side)
    part_B23 = torch.stack([side, zero, right, zero, side, down], dim=1).view(-1, 2, 3)
    grid = functional.affine_grid(part_B23, list(images_BCHW.shape), align_corners=False)
    seen = functional.grid_sample(images_BCHW, grid, padding_mode="border", align_corners=False)
    return Batch((seen, *batch.inputs[1:]), batch.labels)


def erased(batch: Batch, chance: Generator) -> Batch:
    """Fills a rectangle of every other picture with noise."""
    images_BCHW = batch.inputs[0]
    count, _, height, width = images_BCHW.shape
    draws_5B = torch.rand(5, count, generator=chance, device=chance.device)
    area = (ERASED_AREA[0] + (ERASED_AREA[1] - ERASED_AREA[0]) * draws_5B[0]) * height * width
    low, high = map(math.log, ERASED_SHAPE)
    shape = (low + (high - low) * draws_5B[1]).exp()
    is_in = _between((area * shape).sqrt(), draws_5B[2], height)[:, :, None]
    is_in = is_in & _between((area / shape).sqrt(), draws_5B[3], width)[:, None, :]
    is_in = is_in & (draws_5B[4] < 0.5)[:, None, None]
    noise = torch.randn(images_BCHW.shape, generator=chance, device=chance.device).to(images_BCHW.dtype)
    return Batch((torch.where(is_in[:, None], noise, images_BCHW), *batch.inputs[1:]), batch.labels)


def _between(length: Tensor, place: Tensor, side: int) -> Tensor:
    """A stretch of each side (count, side), true inside: `length` long, wholly on it, at a place from 0 to 1."""
    length = length.round().clamp(1, side)
    start = (place * (side - length + 1)).floor()
    places = torch.arange(side, device=length.device)
    return (places >= start[:, None]) & (places < (start + length)[:, None])


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
    """Makes some tokens unknown; padding stays, and so do the groups of letters beside a token."""
    rows = batch.inputs[0]
    tokens_BT = rows if rows.ndim == 2 else rows[:, :, 0]
    is_out = torch.rand(tokens_BT.shape, generator=chance, device=chance.device) < share
    tokens_BT = tokens_BT.masked_fill(is_out & (tokens_BT > UNKNOWN), UNKNOWN)
    if rows.ndim == 3:
        tokens_BT = torch.cat([tokens_BT[:, :, None], rows[:, :, 1:]], dim=2)
    return Batch((tokens_BT, *batch.inputs[1:]), batch.labels)
