"""Networks for sounds, which come as log-mel spectrograms: convolutions alone, or with a recurrent layer behind.

Shape suffixes: B rows, C channels, M mel bands, T frames, F features, K answers.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample

from lepton_lab.models.reading import pool
from lepton_lab.specs import CnnOptions, CrnnOptions, Problem

SMALLEST = 4
"""A side of a feature map is not halved below it."""

PITCH_STRETCH = 0.75
"""How much pitch is stretched, as a share of how much time is: voices differ less in it than in speed."""


LEAST_SPREAD = 0.1
"""In units of the training part's deviation: a sound that varies less, such as silence, is not blown up any further."""


def levelled(sounds_BCMT: Tensor) -> Tensor:
    """Each spectrogram by itself with mean 0 and deviation 1: how loud a voice is, and how far away, tells nothing."""
    centred_BCMT = sounds_BCMT - sounds_BCMT.mean((2, 3), keepdim=True)
    spread_BC11 = centred_BCMT.square().mean((2, 3), keepdim=True).sqrt()
    return centred_BCMT / spread_BC11.clamp(min=LEAST_SPREAD)


class HideBands(nn.Module):
    """While training, stretches a spectrogram, moves it up or down, and hides a band of pitch and a stretch of time.

    SpecAugment (Park et al. 2019, https://arxiv.org/abs/1904.08779); shift and stretch stand in for voices of another
    height, length of the vocal tract (Jaitly and Hinton 2013, "Vocal Tract Length Perturbation") and speed. Each row
    is changed by itself, on the device, from torch's random state.

    Args:
        shift: Mel bands that a row is moved by at most.
        share: Largest share of bands, and of frames, that is hidden.
        stretch: Largest share by which time is stretched or squeezed; pitch by up to three quarters of it.
    """

    def __init__(self, shift: int, share: float, stretch: float) -> None:
        super().__init__()
        self.shift, self.share, self.stretch = shift, share, stretch

    def forward(self, sounds_BCMT: Tensor) -> Tensor:
        """Spectrograms (B, C, M, T) of the same shape; unchanged in evaluation mode."""
        if not self.training:
            return sounds_BCMT
        rows, _, bands, frames = sounds_BCMT.shape
        device = sounds_BCMT.device
        if self.stretch:
            sounds_BCMT = self._stretched(sounds_BCMT)
        if self.shift:
            moved_B = torch.randint(-self.shift, self.shift + 1, (rows,), device=device)
            from_BM = (torch.arange(bands, device=device) + moved_B[:, None]).clamp_(0, bands - 1)
            sounds_BCMT = sounds_BCMT.gather(2, from_BM[:, None, :, None].expand_as(sounds_BCMT))
        hidden = self._band(rows, bands, device)[:, None, :, None] | self._band(rows, frames, device)[:, None, None, :]
        return sounds_BCMT.masked_fill(hidden, 0.0)

    def _stretched(self, sounds_BCMT: Tensor) -> Tensor:
        """Each row with its own length about its middle, and its own height above the lowest band, which stays."""
        draws_2B = torch.rand(2, len(sounds_BCMT), device=sounds_BCMT.device) * 2 - 1
        long_B, high_B = 1 + draws_2B[0] * self.stretch, 1 + draws_2B[1] * self.stretch * PITCH_STRETCH
        nothing_B = torch.zeros_like(long_B)
        part_B23 = torch.stack([long_B, nothing_B, nothing_B, nothing_B, high_B, high_B - 1], dim=1).view(-1, 2, 3)
        grid = affine_grid(part_B23, list(sounds_BCMT.shape), align_corners=True).to(sounds_BCMT.dtype)
        return grid_sample(sounds_BCMT, grid, padding_mode="border", align_corners=True)

    def _band(self, rows: int, size: int, device: torch.device) -> Tensor:
        """A stretch of random place and width in each row, bool (rows, size)."""
        width = torch.rand(rows, 1, device=device) * self.share * size
        first = torch.rand(rows, 1, device=device) * (size - width)
        places = torch.arange(size, device=device)
        return (places >= first) & (places < first + width)


class Block(nn.Sequential):
    """Two convolutions; the spectrogram is halved along the axes that are long enough."""

    def __init__(self, num_in: int, num_out: int, halves: tuple[bool, bool]) -> None:
        step = (2 if halves[0] else 1, 2 if halves[1] else 1)
        super().__init__(
            nn.Conv2d(num_in, num_out, 3, padding=1, bias=False),
            nn.MaxPool2d(step) if max(step) > 1 else nn.Identity(),
            nn.BatchNorm2d(num_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(num_out, num_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(num_out),
            nn.ReLU(inplace=True),
        )


def _blocks(
    problem: Problem, channels: int, num_blocks: int, frames_kept: int
) -> tuple[nn.Sequential, tuple[int, int, int]]:
    """Blocks of doubling width, and the shape (C, M, T) of what they return."""
    num_in, bands, frames = problem.input_shape
    blocks: list[nn.Module] = []
    for place in range(num_blocks):
        halves = (bands // 2 >= SMALLEST, frames // 2 >= frames_kept)
        num_out = channels * 2 ** min(place, 2)
        blocks.append(Block(num_in, num_out, halves))
        num_in, bands, frames = num_out, bands // 2 if halves[0] else bands, frames // 2 if halves[1] else frames
    return nn.Sequential(*blocks), (num_in, bands, frames)


class AudioCnn(nn.Module):
    """Blocks of convolutions over pitch and time, then the mean and the maximum over time of each pitch.

    Args:
        problem: Spectrograms (C, M, T) and K answers each.
        options: Width, depth, dropout, and how much is hidden while training.
    """

    learning_rates: ClassVar[dict[str, float]] = {"adamw": 3e-3, "adam": 3e-3, "sgd": 0.1}
    """Peak learning rates that suit this network, by optimizer."""

    def __init__(self, problem: Problem, options: CnnOptions) -> None:
        super().__init__()
        self.hide = HideBands(options.shift, options.hide, options.stretch)
        self.norm = nn.BatchNorm2d(problem.input_shape[0])
        self.blocks, (channels, bands, _) = _blocks(problem, options.channels, options.num_stages(problem), SMALLEST)
        self.dropout = nn.Dropout(options.dropout)
        self.head = nn.Linear(2 * channels * bands, problem.num_outputs)

    def forward(self, sounds_BCMT: Tensor) -> Tensor:
        """Answers (B, K) of spectrograms (B, C, M, T)."""
        found_BCMT = self.blocks(self.hide(self.norm(levelled(sounds_BCMT))))
        pooled_BF = pool(found_BCMT.flatten(1, 2).transpose(1, 2), None)
        answers_BK: Tensor = self.head(self.dropout(pooled_BF))
        return answers_BK


class Crnn(nn.Module):
    """Blocks of convolutions, then a GRU that reads what they find frame by frame, in both directions.

    Args:
        problem: Spectrograms (C, M, T) and K answers each.
        options: Widths, depth, dropout, and how much is hidden while training.
    """

    learning_rates: ClassVar[dict[str, float]] = {"adamw": 3e-3, "adam": 3e-3, "sgd": 0.1}
    """Peak learning rates that suit this network, by optimizer."""

    def __init__(self, problem: Problem, options: CrnnOptions) -> None:
        super().__init__()
        self.hide = HideBands(options.shift, options.hide, options.stretch)
        self.norm = nn.BatchNorm2d(problem.input_shape[0])
        frames_kept = max(SMALLEST, problem.input_shape[2] // 4)
        self.blocks, (channels, bands, _) = _blocks(problem, options.channels, options.blocks, frames_kept)
        self.cells = nn.GRU(channels * bands, options.hidden, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(options.dropout)
        self.head = nn.Linear(4 * options.hidden, problem.num_outputs)

    def forward(self, sounds_BCMT: Tensor) -> Tensor:
        """Answers (B, K) of spectrograms (B, C, M, T)."""
        found_BCMT = self.blocks(self.hide(self.norm(levelled(sounds_BCMT))))
        said_BTF, _ = self.cells(found_BCMT.flatten(1, 2).transpose(1, 2))
        answers_BK: Tensor = self.head(self.dropout(pool(said_BTF, None)))
        return answers_BK
