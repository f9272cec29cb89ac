"""Exceptions as named reasons and sentences, the way a run's record tells them."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import torch

from lepton_lab.errors import DataError, LeptonError, ModelError, RunFailed, StoreError

NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
CPU_MEMORY_PHRASES = ("DefaultCPUAllocator", "can't allocate memory", "not enough memory", "Cannot allocate memory")
ONEDNN_MEMORY_PHRASE = "could not create a primitive"
"""All that oneDNN says when it gets no memory; what it cannot do at all ends in "a primitive descriptor"."""
GPU_MEMORY_ERROR: type[BaseException] = getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)


def as_run_failed(error: BaseException, *, batch_size: int | None = None, own_network: bool = False) -> RunFailed:
    """The failure of a run as its record names it.

    Args:
        error: What was raised. What it was raised from counts too: a network that cannot be built because the
            memory is full has not failed for a fault of its own.
        batch_size: Rows of a step, for the hint of what to lower.
        own_network: The network is the user's own, so an unknown error most likely comes from it.
    """
    for cause in _causes(error):
        shortage = _shortage(cause, batch_size)
        if shortage is not None:
            return shortage
    if isinstance(error, RunFailed):
        return error
    if isinstance(error, LeptonError):
        return RunFailed(str(error), _reason(error))
    text = str(error).strip() or "no message"
    if own_network:
        return RunFailed(f"Your network raised {type(error).__name__}: {text}", "model_error")
    return RunFailed(f"Training ended with {type(error).__name__}: {text}", "error")


def _shortage(error: BaseException, batch_size: int | None) -> RunFailed | None:
    """Disk or memory that was not there."""
    smaller = f"use a batch_size below {batch_size}" if batch_size else "use a smaller batch_size"
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        return RunFailed(
            "The disk of the run store is full. The last checkpoint is kept; free some space, then resume the run.",
            "disk_full",
        )
    if isinstance(error, GPU_MEMORY_ERROR):
        return RunFailed(f"The GPU's memory is full; {smaller} or a smaller network.", "gpu_out_of_memory")
    if isinstance(error, MemoryError) or _is_cpu_memory(error):
        return RunFailed(f"The computer's memory is full; {smaller}, a smaller network or less data.", "out_of_memory")
    return None


def not_finite(what: str, *, step: int, epoch: float, rate: float, saved_step: int) -> RunFailed:
    """The failure of a run whose numbers have become infinite or nan.

    Args:
        what: "the training loss became nan", say.
        step: Steps done.
        epoch: The same in epochs.
        rate: Learning rate of the step.
        saved_step: Step of the last checkpoint; negative where there is none.
    """
    kept = f"The checkpoint of step {saved_step} is kept. " if saved_step >= 0 else ""
    return RunFailed(
        f"Training stopped at step {step} (epoch {epoch:.1f}) because {what}. {kept}Try a learning rate below "
        f"{rate:.2g}, a clip_norm of 1, or look for wrong values in the data.",
        "nan_loss",
    )


def is_memory_shortage(error: BaseException) -> bool:
    """Whether the computer's or the GPU's memory was full."""
    return isinstance(error, MemoryError | GPU_MEMORY_ERROR) or _is_cpu_memory(error)


def _reason(error: LeptonError) -> str:
    if isinstance(error, DataError):
        return "data_error"
    if isinstance(error, ModelError):
        return "model_error"
    return "unreadable" if isinstance(error, StoreError) and error.reason == "unreadable" else "error"


def _is_cpu_memory(error: BaseException) -> bool:
    said = str(error)
    is_said = any(phrase in said for phrase in CPU_MEMORY_PHRASES) or said.rstrip(". \n").endswith(ONEDNN_MEMORY_PHRASE)
    return isinstance(error, RuntimeError) and is_said


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__
