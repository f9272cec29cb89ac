"""What the GPUs do, as NVIDIA's driver tells through `nvidia-ml-py`, where that is installed; nothing elsewhere.

Tested with a stand-in for the driver; it has not been run on a GPU yet.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Callable
from typing import Any


class Gpus:
    """The GPUs of this machine. Each figure that a GPU does not tell is left out.

    Args:
        driver: Gives the module that talks to the driver; an error means that there is none.
    """

    def __init__(self, driver: Callable[[], Any] = lambda: importlib.import_module("pynvml")) -> None:
        self._driver = driver
        self._nvml: Any = None
        self._handles: list[Any] = []
        self._asked = False

    def read(self) -> list[dict[str, Any]]:
        """One entry a GPU, in the driver's order.

        Returns:
            `{"index", "uuid", "name", "use_fraction", "memory_used_bytes", "memory_total_bytes", "temperature_celsius",
            "power_watts", "power_limit_watts"}` each.
        """
        self._begin()
        return [self._one(index, handle) for index, handle in enumerate(self._handles)]

    def memory_by_process(self) -> dict[int, int]:
        """GPU memory by process, in bytes, over all GPUs."""
        found: dict[int, int] = {}
        for handle in self._handles:
            for process in self._ask(functools.partial(self._nvml.nvmlDeviceGetComputeRunningProcesses, handle)) or []:
                found[process.pid] = found.get(process.pid, 0) + (process.usedGpuMemory or 0)
        return found

    def _begin(self) -> None:
        if self._asked:
            return
        self._asked = True
        with contextlib.suppress(Exception):  # not installed, no driver, no GPU: each means that there is none to watch
            nvml = self._driver()
            nvml.nvmlInit()
            self._nvml = nvml
            self._handles = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]

    def _one(self, index: int, handle: Any) -> dict[str, Any]:
        nvml = self._nvml
        name = self._ask(lambda: nvml.nvmlDeviceGetName(handle))
        uuid = self._ask(lambda: nvml.nvmlDeviceGetUUID(handle))
        use = self._ask(lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100)
        memory = self._ask(lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
        found = {
            "index": index,
            "uuid": uuid.decode() if isinstance(uuid, bytes) else uuid,
            "name": name.decode() if isinstance(name, bytes) else name,
            "use_fraction": use,
            "memory_used_bytes": memory.used if memory else None,
            "memory_total_bytes": memory.total if memory else None,
            "temperature_celsius": self._ask(lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
            "power_watts": self._ask(lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1000),
            "power_limit_watts": self._ask(lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000),
        }
        return {key: value for key, value in found.items() if value is not None}

    @staticmethod
    def _ask(question: Callable[[], Any]) -> Any:
        """The driver's answer; None where this GPU does not say, which each model decides for itself."""
        try:
            return question()
        except Exception:
            return None
