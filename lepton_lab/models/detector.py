"""A light detector without anchors: each place of a coarse map says whether an object's middle is there, and its box.

Places and targets after FCOS (Tian et al. 2019, https://arxiv.org/abs/1904.01355), the class score aims at how well the
box fits (Li et al. 2020, https://arxiv.org/abs/2006.04388), boxes are learnt by the generalised overlap (Rezatofighi
et al. 2019, https://arxiv.org/abs/1902.09630).

Shape suffixes: B pictures, C channels, H height, W width, N places, M boxes, K classes. Boxes are (left, top, right,
bottom) in pixels of the picture that the network is given.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate, pad

from lepton_lab.data import found_boxes
from lepton_lab.specs import DetectorOptions, Problem

COARSEST = 32
"""Pictures are filled up to a multiple of it."""

SMALL_SIDE = 160
"""Pictures up to this size are looked at in steps of 4 pixels, larger ones in steps of 8."""

REACH = 1.5
"""A place belongs to a box when it lies within so many steps of the box's middle."""

BRIGHTNESS, CONTRAST = 0.2, 0.2
"""How far a picture's values are moved at random in training, in standard deviations and as a share."""

BOX_WEIGHT = 2.0


class Detector(nn.Module):
    """Convolutions down to a coarse view of the picture, back up to a finer map, and two heads over it.

    Args:
        problem: Pictures (C, H, W) and the classes of their objects.
        options: Width, mirroring in training, and which boxes are reported.
    """

    learning_rates: ClassVar[dict[str, float]] = {"adamw": 2e-3, "adam": 2e-3, "sgd": 0.02}
    """Peak learning rates that suit this network, by optimizer."""

    def __init__(self, problem: Problem, options: DetectorOptions) -> None:
        super().__init__()
        channels, self.height, self.width = problem.input_shape
        self.num_classes = len(problem.classes) or problem.num_outputs
        self.confidence, self.overlap = options.confidence, options.overlap
        self.flips = [axis for axis, asked in ((3, options.flip), (2, options.flip_vertical)) if asked]
        self.stride = 4 if max(self.height, self.width) <= SMALL_SIDE else 8
        width = options.width
        self.down = nn.ModuleList()
        num_in, step = channels, 1
        fine_widths: list[int] = []
        while step < COARSEST:
            step *= 2
            num_out = min(width * max(1, step // 2), 8 * width)
            self.down.append(nn.Sequential(_unit(num_in, num_out, 2), _unit(num_out, num_out)))
            fine_widths.append(num_out)
            num_in = num_out
        self.num_kept = 1 + round(math.log2(COARSEST / self.stride))
        head_width = 4 * width
        self.across = nn.ModuleList(nn.Conv2d(each, head_width, 1) for each in fine_widths[-self.num_kept :])
        self.smooth = _unit(head_width, head_width)
        self.class_head = _head(head_width, self.num_classes, -math.log(99.0))  # at first one place in a hundred
        self.box_head = _head(head_width, 4, math.log(2.0))

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Boxes and class scores, not normalised, of pictures (B, C, H, W): (B, N, 4 + K)."""
        images_BCHW = pad(images_BCHW, (0, -self.width % COARSEST, 0, -self.height % COARSEST))
        mirrored: list[tuple[int, Tensor]] = []
        if self.training:
            images_BCHW, mirrored = self._changed(images_BCHW)
        views = []
        for stage in self.down:
            images_BCHW = stage(images_BCHW)
            views.append(images_BCHW)
        views = [across(view) for across, view in zip(self.across, views[-self.num_kept :], strict=True)]
        found_BCHW = views.pop()
        while views:
            found_BCHW = views.pop() + interpolate(found_BCHW, scale_factor=2.0, mode="nearest")
        found_BCHW = self.smooth(found_BCHW)
        edges_B4HW = self.box_head(found_BCHW).float().clamp(-4, 6).exp() * self.stride
        scores_BKHW = self.class_head(found_BCHW)
        said_BXHW = torch.cat([edges_B4HW, scores_BKHW.float()], dim=1)
        for axis, rows_B in mirrored:
            said_BXHW = torch.where(rows_B, _mirrored(said_BXHW, axis), said_BXHW)
        said_BNX = said_BXHW.flatten(2).transpose(1, 2)
        places_N2 = self._places(images_BCHW.device)
        corners_BN4 = torch.cat([places_N2 - said_BNX[..., :2], places_N2 + said_BNX[..., 2:4]], dim=2)
        return torch.cat([corners_BN4, said_BNX[..., 4:]], dim=2)

    def loss(self, outputs_BNX: Tensor, targets: list[Tensor]) -> Tensor:
        """How far outputs (B, N, 4 + K) are from the boxes of each picture, ().

        Args:
            outputs_BNX: What `forward` returned.
            targets: For each picture (M, 5): left, top, right, bottom, class. Boxes without an area do not count.
        """
        outputs_BNX = outputs_BNX.float()
        owners = [self._owners(target[:, :4]) for target in targets]
        wanted_BNK = torch.zeros_like(outputs_BNX[..., 4:])
        lost = []
        for row, (target, owner_N) in enumerate(zip(targets, owners, strict=True)):
            places = (owner_N >= 0).nonzero()[:, 0]
            if not len(places):
                continue
            target_M5 = target[owner_N[places]].to(outputs_BNX.dtype)
            shared_M, general_M = _fit(outputs_BNX[row, places, :4], target_M5[:, :4])
            lost.append(1 - general_M)
            wanted_BNK[row, places, target_M5[:, 4].long()] = shared_M.detach().clamp(0, 1)
        scores_BNK = outputs_BNX[..., 4:]
        off_BNK = (scores_BNK.detach().sigmoid() - wanted_BNK).abs() ** 2
        each_BNK = binary_cross_entropy_with_logits(scores_BNK, wanted_BNK, reduction="none") * off_BNK
        num_places = max(1, sum(len(each) for each in lost))
        box_loss = torch.cat(lost).sum() if lost else outputs_BNX[..., :4].sum() * 0.0
        return (each_BNK.sum() + BOX_WEIGHT * box_loss) / num_places

    def decode(self, outputs_BNX: Tensor) -> list[np.ndarray]:
        """What outputs (B, N, 4 + K) say: for each picture (M, 6) left, top, right, bottom, confidence, class."""
        outputs = outputs_BNX.detach().float().cpu().numpy()
        limits = np.array([self.width, self.height, self.width, self.height], np.float32)
        found = found_boxes.decode(outputs, confidence=self.confidence, overlap=self.overlap)
        for rows_M6 in found:
            rows_M6[:, :4] = rows_M6[:, :4].clip(0, limits)
        return found

    def _changed(self, images_BCHW: Tensor) -> tuple[Tensor, list[tuple[int, Tensor]]]:
        """Pictures of other brightness and contrast, some mirrored: axis and rows (B, 1, 1, 1) of each mirroring."""
        rows, device = len(images_BCHW), images_BCHW.device
        contrast, brightness = torch.rand(2, rows, 1, 1, 1, device=device) * 2 - 1
        images_BCHW = images_BCHW * (1 + CONTRAST * contrast) + BRIGHTNESS * brightness
        mirrored = [(axis, torch.rand(rows, 1, 1, 1, device=device) < 0.5) for axis in self.flips]
        for axis, rows_B in mirrored:
            images_BCHW = torch.where(rows_B, images_BCHW.flip(axis), images_BCHW)
        return images_BCHW, mirrored

    def _places(self, device: torch.device) -> Tensor:
        """The middle of each place, (N, 2) as x and y in pixels, row by row."""
        height, width = (-(-side // COARSEST) * COARSEST // self.stride for side in (self.height, self.width))
        ys = (torch.arange(height, device=device) + 0.5) * self.stride
        xs = (torch.arange(width, device=device) + 0.5) * self.stride
        return torch.stack([xs.repeat(height), ys.repeat_interleave(width)], dim=1)

    def _owners(self, boxes_M4: Tensor) -> Tensor:
        """Which box each place belongs to, the smallest where it could be several; -1 for none. int64 (N,)."""
        places_N2 = self._places(boxes_M4.device)
        if not len(boxes_M4):
            return torch.full((len(places_N2),), -1, device=boxes_M4.device)
        sides_M2 = boxes_M4[:, 2:] - boxes_M4[:, :2]
        middles_M2 = (boxes_M4[:, 2:] + boxes_M4[:, :2]) / 2
        reach_M2 = torch.minimum(sides_M2 / 2, torch.full_like(sides_M2, REACH * self.stride))
        reach_M2 = reach_M2.clamp(min=0.5 * self.stride)  # a box smaller than a step still has a place
        away_NM = ((places_N2[:, None] - middles_M2).abs() / reach_M2).amax(2)
        areas_M = sides_M2.clamp(min=0).prod(1)
        open_NM = (away_NM <= 1) & (areas_M > 0)
        cost_NM = torch.where(open_NM, areas_M, torch.inf)
        least_N, owner_N = cost_NM.min(1)
        return torch.where(least_N.isfinite(), owner_N, -1)


def _unit(num_in: int, num_out: int, stride: int = 1) -> nn.Sequential:
    """Convolution, norm, activation."""
    return nn.Sequential(
        nn.Conv2d(num_in, num_out, 3, stride, padding=1, bias=False), nn.BatchNorm2d(num_out), nn.SiLU(inplace=True)
    )


def _head(width: int, num_out: int, bias: float) -> nn.Sequential:
    """A unit and a last convolution that begins at `bias`."""
    last = nn.Conv2d(width, num_out, 3, padding=1)
    nn.init.normal_(last.weight, std=0.01)
    nn.init.constant_(last.bias, bias)  # type: ignore[arg-type]
    return nn.Sequential(_unit(width, width), last)


def _mirrored(said_BXHW: Tensor, axis: int) -> Tensor:
    """What is said of mirrored pictures, told of the pictures as they were: two edges change places."""
    order = [2, 1, 0, 3] if axis == 3 else [0, 3, 2, 1]
    turned = said_BXHW.flip(axis)
    return torch.cat([turned[:, order], turned[:, 4:]], dim=1)


def _fit(boxes_M4: Tensor, targets_M4: Tensor) -> tuple[Tensor, Tensor]:
    """Overlap, and overlap less the empty share of the box around both, of boxes pair by pair: (M,), (M,)."""
    inner = torch.minimum(boxes_M4[:, 2:], targets_M4[:, 2:]) - torch.maximum(boxes_M4[:, :2], targets_M4[:, :2])
    sides = inner.clamp(min=0)
    around = torch.maximum(boxes_M4[:, 2:], targets_M4[:, 2:]) - torch.minimum(boxes_M4[:, :2], targets_M4[:, :2])
    shared_M, around_M = sides.prod(1), around.prod(1).clamp(min=1e-6)
    areas = [(each[:, 2:] - each[:, :2]).clamp(min=0).prod(1) for each in (boxes_M4, targets_M4)]
    both_M = (areas[0] + areas[1] - shared_M).clamp(min=1e-6)
    overlap_M = shared_M / both_M
    return overlap_M, overlap_M - (around_M - both_M) / around_M
