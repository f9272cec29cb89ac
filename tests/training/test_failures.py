"""Exceptions as reasons and sentences."""

from __future__ import annotations

import errno

import pytest
import torch

from lepton_lab.errors import DataError, ModelError, RunFailed, StoreError
from lepton_lab.runs.atomic import store_error
from lepton_lab.training.failures import GPU_MEMORY_ERROR, as_run_failed


def full_disk(tmp_path: object) -> StoreError:
    error = OSError(errno.ENOSPC, "No space left on device")
    made = store_error(error, tmp_path)  # type: ignore[arg-type]
    made.__cause__ = error
    return made


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (OSError(errno.EDQUOT, "Quota exceeded"), "disk_full"),
        (MemoryError(), "out_of_memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "out_of_memory"),
        (RuntimeError("could not create a primitive"), "out_of_memory"),
        (RuntimeError("unable to mmap 302724216 bytes from file <x>: Cannot allocate memory (12)"), "out_of_memory"),
        (RuntimeError("could not create a primitive descriptor for a convolution"), "error"),
        (GPU_MEMORY_ERROR("CUDA out of memory"), "gpu_out_of_memory"),
        (DataError("bad column"), "data_error"),
        (ModelError("bad network"), "model_error"),
        (RunFailed("nan", "nan_loss"), "nan_loss"),
        (ValueError("surprise"), "error"),
    ],
)
def test_reasons(error: BaseException, reason: str) -> None:
    failed = as_run_failed(error)
    assert failed.reason == reason
    assert str(failed)


def test_full_disk_is_seen_through_the_store(tmp_path: object) -> None:
    assert as_run_failed(full_disk(tmp_path)).reason == "disk_full"


def test_memory_hint_names_the_batch_size() -> None:
    assert "batch_size below 512" in str(as_run_failed(MemoryError(), batch_size=512))


def test_own_networks_are_blamed_for_unknown_errors_only() -> None:
    assert as_run_failed(ZeroDivisionError("x"), own_network=True).reason == "model_error"
    assert as_run_failed(MemoryError(), own_network=True).reason == "out_of_memory"


def test_a_real_refusal_of_memory_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**58, dtype=torch.uint8)
    assert as_run_failed(caught.value).reason == "out_of_memory"
