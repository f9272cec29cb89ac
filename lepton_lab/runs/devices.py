"""Device slots: how many runs may work at the same time, and on what. Asks the driver's tool, never torch."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Collection, Mapping, Sequence

from lepton_lab.runs.launch import ALL_DEVICES_VARIABLE

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_ASK_SECONDS = 10.0


def device_slots(env: Mapping[str, str] = os.environ) -> list[str]:
    """The slots of this machine: "cpu:0" (as many as `LEPTON_CPU_SLOTS` says, default 1) and one for each GPU."""
    try:
        num_cpu = max(1, int(env.get("LEPTON_CPU_SLOTS", "1")))
    except ValueError:
        num_cpu = 1
    return [*(f"cpu:{i}" for i in range(num_cpu)), *(f"cuda:{gpu}" for gpu in _gpus(env))]


def free_slot(device: str, slots: Sequence[str], taken: Collection[str]) -> str | None:
    """A slot for a run that asked for "auto", "cpu" or "cuda"; None if it must wait.

    "auto" is a GPU where there is one. "cuda" without a GPU gets a CPU slot, where the worker says what is missing.
    """
    has_gpu = any(slot.startswith("cuda:") for slot in slots)
    kind = "cuda:" if has_gpu and device != "cpu" else "cpu:"
    return next((slot for slot in slots if slot.startswith(kind) and slot not in taken), None)


def slot_environment(slot: str, env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables that keep a worker to its slot."""
    kind, _, which = slot.partition(":")
    # Waiting OpenMP threads that spin on busy cores slow a small network down several times.
    variables = {"OMP_WAIT_POLICY": env.get("OMP_WAIT_POLICY", "PASSIVE")}
    if kind == "cuda":
        variables |= {_VISIBLE: which, ALL_DEVICES_VARIABLE: env.get(_VISIBLE, "-")}
    return variables


def _gpus(env: Mapping[str, str]) -> list[str]:
    if _VISIBLE in env:
        return [part.strip() for part in env[_VISIBLE].split(",") if part.strip() and part.strip() != "-1"]
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        said = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=_ASK_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    count = sum(line.startswith("GPU ") for line in said.splitlines())
    return [str(i) for i in range(count)]
