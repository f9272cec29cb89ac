"""The monitor samples what is at work and keeps its files small; hints follow from the samples alone."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from lepton_lab.runs import create_run, list_runs
from lepton_lab.runs.gpus import Gpus
from lepton_lab.runs.hints import hints
from lepton_lab.runs.monitor import MONITOR_FILE, RUN_LIMIT_BYTES, Monitor, append, read_monitor, read_run_monitor
from tests.runs.runs_lab import wait_until


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class OneGpu(Gpus):
    """A GPU as the driver would tell of it, with this process at work on it."""

    def read(self):
        return [{"index": 0, "use_fraction": 0.2, "temperature_celsius": 55, "power_watts": 70.0}]

    def memory_by_process(self):
        return {os.getpid(): 1_000_000}


class Driver:
    """NVIDIA's driver with two GPUs, as nvidia-ml-py shows it; the second one is old and tells little."""

    NVML_TEMPERATURE_GPU = 0

    def nvmlInit(self):
        pass

    def nvmlDeviceGetCount(self):
        return 2

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def __getattr__(self, name):
        answers = {
            "nvmlDeviceGetName": b"A fast one",
            "nvmlDeviceGetUUID": "GPU-1",
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=40),
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=10, total=80),
            "nvmlDeviceGetTemperature": 61,
            "nvmlDeviceGetPowerUsage": 412_000,
            "nvmlDeviceGetEnforcedPowerLimit": 700_000,
            "nvmlDeviceGetComputeRunningProcesses": [
                SimpleNamespace(pid=7, usedGpuMemory=5), SimpleNamespace(pid=8, usedGpuMemory=None),
            ],
        }  # fmt: skip

        def answer(handle, *rest):
            if handle == 1 and name != "nvmlDeviceGetName":
                raise RuntimeError("Not Supported")
            return answers[name]

        return answer


def test_what_the_driver_tells_is_read_and_what_it_does_not_tell_is_left_out():
    gpus = Gpus(Driver)
    assert gpus.read() == [
        {
            "index": 0,
            "uuid": "GPU-1",
            "name": "A fast one",
            "use_fraction": 0.4,
            "memory_used_bytes": 10,
            "memory_total_bytes": 80,
            "temperature_celsius": 61,
            "power_watts": 412.0,
            "power_limit_watts": 700.0,
        },
        {"index": 1, "name": "A fast one"},
    ]
    assert gpus.memory_by_process() == {7: 5, 8: 0}

    def no_driver():
        raise ImportError("pynvml")

    assert Gpus(no_driver).read() == [] and Gpus(no_driver).memory_by_process() == {}


def test_a_run_at_work_is_sampled_with_the_machine_and_its_gpu(store, spec):
    run = create_run(store, spec)
    clock = Clock()
    monitor = Monitor(store, clock=clock, wall=lambda: 5000.0 + clock.now, gpus=OneGpu())
    at_work = {run.run_id: (os.getpid(), {"slot": "cuda:0", "samples_per_second": 10.0})}
    assert monitor.tick({}) is None  # nothing is at work, nothing is written
    monitor.tick(at_work)
    sum(range(2_000_000))  # some work for the processor to be seen at
    clock.now += 2.0
    assert monitor.tick(at_work) is not None
    clock.now += 0.5
    assert monitor.tick(at_work) is None  # not yet
    first, second = read_run_monitor(store, run.run_id)
    assert first["memory_bytes"] > 1_000_000 and first["gpu_memory_bytes"] == 1_000_000
    assert "cpu_cores" not in first and second["cpu_cores"] > 0
    sample = read_monitor(store)[-1]
    assert sample["time"] == 6002.0
    assert 0 < sample["memory_used_bytes"] < sample["memory_total_bytes"]
    assert 0 < sample["disk_free_bytes"] <= sample["disk_total_bytes"]
    assert sample["gpus"][0]["temperature_celsius"] == 55
    assert sample["runs"][run.run_id]["slot"] == "cuda:0"
    assert read_monitor(store, since=6001.0) == [sample]


def test_a_file_stays_small_and_keeps_its_beginning_and_its_end(store, spec):
    run = create_run(store, spec)
    for number in range(6000):
        sample = {"time": 1000.0 + 2 * number, "memory_bytes": 123_456_789, "cpu_cores": 0.987}
        append(run.dir / MONITOR_FILE, sample, RUN_LIMIT_BYTES)
    assert (run.dir / MONITOR_FILE).stat().st_size < RUN_LIMIT_BYTES
    times = [sample["time"] for sample in read_run_monitor(store, run.run_id)]
    assert times == sorted(times)
    assert times[0] == 1000.0 and times[-1] == 1000.0 + 2 * 5999
    assert times[-1] - times[-100] == 198.0  # the last minutes are whole


def test_a_torn_line_and_a_missing_file_are_no_trouble(store, spec):
    run = create_run(store, spec)
    assert read_run_monitor(store, run.run_id) == []
    (run.dir / MONITOR_FILE).write_bytes(b'{"time": 1.0}\n[]\n{"time": 2')
    assert read_run_monitor(store, run.run_id) == [{"time": 1.0}]


def test_a_process_that_is_gone_has_no_figures(store, spec):
    run = create_run(store, spec)
    Monitor(store).tick({run.run_id: (2**22 + 1, {"slot": "cpu:0"})})
    assert set(read_run_monitor(store, run.run_id)[0]) == {"time", "slot"}


def samples(count=30, **values):
    return [{"time": 2.0 * i, **values} for i in range(count)]


MACHINE = {"cpu_fraction": 0.5, "memory_used_bytes": 1, "memory_total_bytes": 10, "disk_free_bytes": 10**12}


@pytest.mark.parametrize(
    ("of_run", "of_machine", "on_gpu", "said"),
    [
        ({"waiting_fraction": 0.4}, {}, False, "wait for data 40% of the time"),
        ({"slot": "cuda:0"}, {"gpus": [{"index": 0, "use_fraction": 0.25}]}, True, "The GPU is idle 75% of the time"),
        ({"cpu_cores": 0.3}, {"cpu_fraction": 0.97}, False, "gets 0.3 of a core"),
        ({}, {"memory_used_bytes": 97, "memory_total_bytes": 100}, False, "memory is nearly full"),
        ({}, {"disk_free_bytes": 5_000_000}, False, "5.0 MB left"),
    ],
)
def test_hints_say_what_was_measured(of_run, of_machine, on_gpu, said):
    found = hints(samples(**of_run), samples(**{**MACHINE, **of_machine}), on_gpu=on_gpu)
    assert len(found) == 1 and said in str(found[0])


def test_a_straggler_is_told_and_a_steady_run_is_not():
    steady = [{"time": 2.0 * i, "samples_per_second": 900.0} for i in range(100)]
    assert hints(steady, samples(**MACHINE), on_gpu=False) == []
    slow = [{"time": 200.0 + 2.0 * i, "samples_per_second": 300.0} for i in range(40)]
    (found,) = hints(steady + slow, samples(**MACHINE), on_gpu=False)
    assert "3.0 times slower" in str(found)
    assert found.to_dict() == {
        "code": "slower",
        "values": {"times": 3.0, "now_per_second": 300.0, "before_per_second": 900.0},
        "text": str(found),
    }


def test_a_busy_gpu_and_another_ones_idleness_give_no_hint():
    gpus = [{"index": 0, "use_fraction": 0.9}, {"index": 1, "use_fraction": 0.0}]
    assert hints(samples(slot="cuda:0"), samples(**MACHINE, gpus=gpus), on_gpu=True) == []


def test_the_supervisor_samples_its_runs(lab):
    run = lab.submit(epochs=100, step_seconds=0.02)
    lab.wait(run, "running")
    found = wait_until(lambda: read_run_monitor(lab.store, run.run_id), "a sample")
    assert found[0]["memory_bytes"] > 0 and found[0]["slot"] == "cpu:0"
    assert wait_until(lambda: read_monitor(lab.store), "a sample")[0]["runs"].keys() == {run.run_id}
    assert list_runs(lab.store)[0].run_id == run.run_id
