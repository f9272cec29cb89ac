"""Device slots: how many runs may work at the same time, and on what. Asks the driver's tool, never torch."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from lepton_lab.errors import RunError
from lepton_lab.runs.launch import ALL_DEVICES_VARIABLE

_VISIBLE, _ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"
GPU_SHARE_VARIABLE = "LEPTON_GPU_SHARE"
"""In a worker's environment: the share of the GPU's memory that it may take."""
CLUSTER = "cluster"
"""What a run on a Ray cluster asks for in the queue: a place for the process that keeps its record, and no device."""
_ASK_SECONDS = 10.0
_ROUNDING = 1e-6


def device_slots(env: Mapping[str, str] = os.environ) -> list[str]:
    """The slots of this machine: "cpu:0", "cpu:1", ... and one for each GPU.

    There are as many CPU slots as `LEPTON_CPU_SLOTS` says, else one for each two cores.
    """
    try:
        num_cpu = max(1, int(env["LEPTON_CPU_SLOTS"]))
    except (KeyError, ValueError):
        num_cpu = max(1, _num_cores() // 2)
    return [*(f"cpu:{i}" for i in range(num_cpu)), *(f"cuda:{gpu}" for gpu in _gpus(env))]


def cluster_slots(env: Mapping[str, str] = os.environ) -> list[str]:
    """The places of this machine for processes that keep the record of a run on a cluster: "cluster:0", ...

    There are as many as `LEPTON_CLUSTER_SLOTS` says, else four for each core: they wait most of the time.
    """
    try:
        count = max(1, int(env["LEPTON_CLUSTER_SLOTS"]))
    except (KeyError, ValueError):
        count = 4 * _num_cores()
    return [f"{CLUSTER}:{i}" for i in range(count)]


def asked_device(device: str, cluster: str | None) -> str:
    """What a run asks for in the queue: its device, or a place beside the devices where it works on a cluster."""
    return device if cluster is None else CLUSTER


def slot_kind(device: str, slots: Sequence[str]) -> str:
    """The kind of slot, "cpu:", "cuda:" or "cluster:", for a run that asked for "auto", "cpu", "cuda" or "cluster".

    "auto" is a GPU where there is one. "cuda" without a GPU gets a CPU slot, where the worker says what is missing.
    """
    if device == CLUSTER:
        return f"{CLUSTER}:"
    has_gpu = any(slot.startswith("cuda:") for slot in slots)
    return "cuda:" if has_gpu and device != "cpu" else "cpu:"


def check_devices(devices: int, device: str, env: Mapping[str, str] = os.environ) -> None:
    """Refuses more processes than this machine has GPUs, or cores, to run them on.

    Raises:
        RunError: With what there is.
    """
    if devices == 1:
        return
    gpus = 0 if device == "cpu" else len(_gpus(env))
    if gpus and devices > gpus:
        raise RunError(
            f"devices is {devices}; expected at most {gpus}, the number of this machine's GPUs, or device=cpu."
        )
    cores = _num_cores()
    if not gpus and devices > cores:
        raise RunError(f"devices is {devices}; expected at most {cores}, the number of this machine's cores.")


def each_slot(slots: str) -> list[str]:
    """The slots that a run has: "cpu:0,cpu:1" are two."""
    return slots.split(",")


def free_slots(
    device: str, slots: Sequence[str], taken: Mapping[str, float], share: float = 1.0, devices: int = 1
) -> str | None:
    """The slots for a run, or None if it must wait.

    Args:
        device: What the run asked for: "auto", "cpu" or "cuda".
        slots: All slots.
        taken: The share of each slot that is given out.
        share: The share of a GPU that the run needs, where it needs one.
        devices: How many processes it has; each has a slot, or all have what slots there are.
    """
    if devices == 1:
        return free_slot(device, slots, taken, share)
    kind = slot_kind(device, slots)
    fitting = [slot for slot in slots if slot.startswith(kind)]
    free = [slot for slot in fitting if taken.get(slot, 0.0) <= _ROUNDING]
    needed = min(devices, len(fitting))
    return ",".join(free[:needed]) if needed and len(free) >= needed else None


def free_slot(device: str, slots: Sequence[str], taken: Mapping[str, float], share: float = 1.0) -> str | None:
    """A slot for a run, or None if it must wait.

    Args:
        device: What the run asked for: "auto", "cpu" or "cuda".
        slots: All slots.
        taken: The share of each slot that is given out.
        share: The share of a GPU that the run needs; a CPU slot is always given as a whole.

    Returns:
        Of the GPUs on which there is room, the fullest one, so that whole ones stay free for whom needs one.
    """
    kind = slot_kind(device, slots)
    needed = share if kind == "cuda:" else 1.0
    fitting = [slot for slot in slots if slot.startswith(kind) and taken.get(slot, 0.0) + needed <= 1.0 + _ROUNDING]
    return max(fitting, key=lambda slot: (taken.get(slot, 0.0), -slots.index(slot)), default=None)


def slot_environment(slot: str, env: Mapping[str, str] = os.environ, share: float = 1.0) -> dict[str, str]:
    """The variables that keep a worker to its slot, and to its share of the GPU's memory."""
    kind = slot.partition(":")[0]
    which = ",".join(each.partition(":")[2] for each in each_slot(slot))
    # Waiting OpenMP threads that spin on busy cores slow a small network down several times.
    variables = {"OMP_WAIT_POLICY": env.get("OMP_WAIT_POLICY", "PASSIVE")}
    if kind == CLUSTER:
        variables[_VISIBLE] = ""  # whoever trains is elsewhere
    if kind == "cuda":
        variables |= {_VISIBLE: which, ALL_DEVICES_VARIABLE: env.get(_VISIBLE, "-")}
        if _VISIBLE not in env and _ORDER not in env:
            variables[_ORDER] = "PCI_BUS_ID"  # as the driver counts them; CUDA by itself begins with the fastest
        if share < 1.0:
            variables[GPU_SHARE_VARIABLE] = f"{share:g}"
    return variables


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
