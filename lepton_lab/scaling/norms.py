"""Batch norms over the whole batch, of which each rank has a part.

torch's own `SyncBatchNorm` works on GPUs alone. Statistics of each rank's own rows would be another network, with a
curve of its own for each number of processes; so mean and variance are those of all rows, and a run is the same
however many processes it has. That costs two small sums for each norm in a step, and small tensors cost by the
operation, so there are few.

Shape suffixes: R ranks, C channels; the rows of a norm are all its values of a channel.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from lepton_lab.scaling.team import Team, Window


def share_norms(module: nn.Module, team: Team, window: Window) -> None:
    """Lets every batch norm of a network see the whole batch while it trains."""
    for each in module.modules():
        if isinstance(each, _BatchNorm) and not isinstance(each, nn.SyncBatchNorm):
            each.forward = partial(_forward, each, team, window)  # type: ignore[method-assign]


def _forward(norm: _BatchNorm, team: Team, window: Window, values: Tensor) -> Tensor:
    if not norm.training or window.share.is_whole:
        return type(norm).forward(norm, values)
    norm._check_input_dim(values)
    answer: Tensor = _WholeNorm.apply(values, norm.weight, norm.bias, norm, team, window)  # type: ignore[no-untyped-call]
    return answer


class _WholeNorm(torch.autograd.Function):
    """A batch norm whose mean and variance are those of all ranks' rows.

    On a CPU the few numbers of each channel are numpy's: between layers torch's operations on small tensors take ten
    microseconds each, and there would be twenty in a norm.
    """

    @staticmethod
    def forward(
        ctx: Any,
        values: Tensor,
        weight_C: Tensor | None,
        bias_C: Tensor | None,
        norm: _BatchNorm,
        team: Team,
        window: Window,
    ) -> Tensor:
        num_channels = values.shape[1]
        count = values.numel() // num_channels * window.share.num_rows // (window.share.stop - window.share.start)
        # The running figures given here are not moved; they are what makes the statistics of bfloat16 float32.
        unmoved = torch.zeros(num_channels, device=values.device)
        figures_RF = _small(team.stack(torch.cat(torch.batch_norm_update_stats(values, unmoved, unmoved, 0.0))))
        parts_R1 = _small(window.parts(values.device))
        mean_C, variance_C = _of_all(figures_RF[:, :num_channels], figures_RF[:, num_channels:], parts_R1)
        unbiased_C = torch.as_tensor(variance_C * (count / max(1, count - 1)))
        mean_C, variance_C = torch.as_tensor(mean_C), torch.as_tensor(variance_C)
        _move(norm, mean_C, unbiased_C)
        ctx.save_for_backward(values, weight_C, mean_C, variance_C)
        ctx.team, ctx.eps, ctx.count = team, norm.eps, count
        return functional.batch_norm(values, mean_C, variance_C, weight_C, bias_C, False, 0.0, norm.eps)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        values, weight_C, mean_C, variance_C = ctx.saved_tensors
        # Sums alone: the slopes of the values wait for those of the other ranks.
        _, slope_weight_C, slope_bias_C = torch.ops.aten.native_batch_norm_backward(
            slopes[0], values, weight_C, mean_C, variance_C, None, None, False, ctx.eps, [False, True, True]
        )
        both_F = _small(ctx.team.stack(torch.cat([slope_weight_C, slope_bias_C]))).sum(0)
        # What each value moves mean and variance by: an affine map of the normalised values.
        through_weight_C, through_bias_C = torch.as_tensor(both_F.reshape(2, -1) / -ctx.count)
        slope_in = functional.batch_norm(
            values, mean_C, variance_C, through_weight_C, through_bias_C, False, 0.0, ctx.eps
        ).add_(slopes[0])
        scale_C = (variance_C + ctx.eps).rsqrt_()
        slope_in = _scaled(slope_in, scale_C if weight_C is None else scale_C * weight_C)
        if weight_C is None:
            slope_weight_C = slope_bias_C = None
        return slope_in, slope_weight_C, slope_bias_C, None, None, None


def _small(numbers: Tensor) -> Any:
    """The same numbers as numpy's where they are in the CPU's memory."""
    return numbers.numpy() if numbers.device.type == "cpu" else numbers


def _scaled(values: Tensor, scale_C: Tensor) -> Tensor:
    """Values times a number for each channel, rounded once."""
    if values.dtype == scale_C.dtype:
        return values.mul_(scale_C.view(1, -1, *[1] * (values.ndim - 2)))
    return functional.batch_norm(values, torch.zeros_like(scale_C), torch.ones_like(scale_C), scale_C, eps=0.0)


def _of_all(means_RC: Any, variances_RC: Any, parts_R1: Any) -> tuple[Any, Any]:
    """Mean and variance of all rows (C,), from those of each rank's part of them."""
    mean_C = (parts_R1 * means_RC).sum(0)  # no product of matrices, which autocast would round
    apart_RC = means_RC - mean_C
    return mean_C, (parts_R1 * (variances_RC + apart_RC * apart_RC)).sum(0)


def _move(norm: _BatchNorm, mean_C: Tensor, unbiased_C: Tensor) -> None:
    """Moves the running figures, as a norm of torch does."""
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked.add_(1)
    share = norm.momentum if norm.momentum is not None else 1.0 / float(norm.num_batches_tracked)
    norm.running_mean.lerp_(mean_C, share)
    norm.running_var.lerp_(unbiased_C, share)
