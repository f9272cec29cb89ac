"""Batch norms over the whole batch, of which each rank has a part.

torch's own `SyncBatchNorm` works on GPUs alone. Statistics of each rank's own rows would be another network, with a
curve of its own for each number of processes; so mean and variance are those of all rows, and a run is the same
however many processes it has. That costs two small sums for each norm in a step.

Shape suffixes: N rows, C channels; the rows of a norm are all its values of a channel.
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
    answer, mean_C, variance_C, count = _WholeNorm.apply(values, norm.weight, norm.bias, team, norm.eps)  # type: ignore[no-untyped-call]
    if norm.track_running_stats and norm.running_mean is not None and norm.running_var is not None:
        with torch.no_grad():
            assert norm.num_batches_tracked is not None
            norm.num_batches_tracked.add_(1)
            share = norm.momentum if norm.momentum is not None else 1.0 / float(norm.num_batches_tracked)
            unbiased_C = variance_C * (count / (count - 1).clamp(min=1))
            norm.running_mean.lerp_(mean_C.to(norm.running_mean.dtype), share)
            norm.running_var.lerp_(unbiased_C.to(norm.running_var.dtype), share)
    result: Tensor = answer
    return result


class _WholeNorm(torch.autograd.Function):
    """A batch norm whose mean and variance are those of all ranks' rows."""

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, weight_C: Tensor | None, bias_C: Tensor | None, team: Team, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        num_channels = values.shape[1]
        own = values.numel() // num_channels
        own_mean_C, own_variance_C = torch.batch_norm_update_stats(values, None, None, 0.0)
        mean, variance = own_mean_C.double(), own_variance_C.double()
        sums = torch.cat([mean * own, (variance + mean**2) * own, mean.new_tensor([own])])
        total = team.sum(sums)
        count = total[-1]
        whole_mean = total[:num_channels] / count
        whole_variance = (total[num_channels:-1] / count - whole_mean**2).clamp(min=0)
        mean_C, variance_C = whole_mean.to(own_mean_C.dtype), whole_variance.to(own_mean_C.dtype)
        answer = functional.batch_norm(values, mean_C, variance_C, weight_C, bias_C, False, 0.0, eps)
        ctx.save_for_backward(values, weight_C, mean_C, variance_C, count)
        ctx.team, ctx.eps = team, eps
        ctx.mark_non_differentiable(whole_mean, whole_variance, count)
        return answer, whole_mean, whole_variance, count

    @staticmethod
    def backward(ctx: Any, slope: Tensor, *others: Any) -> tuple[Tensor, Tensor | None, Tensor | None, None, None]:
        values, weight_C, mean_C, variance_C, count = ctx.saved_tensors
        scale_C = torch.ones_like(mean_C) if weight_C is None else weight_C
        slope_in, slope_weight_C, slope_bias_C = torch.ops.aten.native_batch_norm_backward(
            slope, values, scale_C, mean_C, variance_C, None, None,
            False, ctx.eps, [True, True, True],
        )  # fmt: skip
        total = ctx.team.sum(torch.cat([slope_weight_C, slope_bias_C]).double()) / count
        mean_weight_C, mean_bias_C = total.to(mean_C.dtype).chunk(2)
        spread_C = scale_C * torch.rsqrt(variance_C + ctx.eps)
        # What each value moves the mean and the variance by: an affine map of the normalised values.
        through = functional.batch_norm(
            values, mean_C, variance_C, spread_C * mean_weight_C, spread_C * mean_bias_C, False, 0.0, ctx.eps
        )
        if weight_C is None:
            return slope_in.sub_(through), None, None, None, None
        return slope_in.sub_(through), slope_weight_C, slope_bias_C, None, None
