"""Processes are known by pid and start time; the environment of a slot; which slot a run gets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from lepton_lab.errors import RunError
from lepton_lab.runs.devices import check_devices, device_slots, free_slot, free_slots, slot_environment
from lepton_lab.runs.process import alive, exit_code, identity, read_identity, spawn_detached, terminate, write_identity

WAIT = [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"]


@pytest.fixture
def child():
    process = subprocess.Popen(WAIT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def test_a_process_is_alive_until_it_ends_even_unreaped(child):
    known = identity(child.pid)
    assert alive(known)
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie now
    assert not alive(known)
    assert identity(child.pid) is None
    assert exit_code(child) == -signal.SIGKILL


def test_another_process_with_the_same_pid_is_not_meant(child):
    known = identity(child.pid)
    assert not alive({**known, "start_time": known["start_time"] - 1})
    assert not alive({**known, "boot": "another start of the machine"})
    assert not terminate({**known, "start_time": known["start_time"] - 1}, hard=True)
    assert child.poll() is None


@pytest.mark.parametrize("nonsense", [None, {}, {"pid": "x", "start_time": 1}, {"pid": 1}, {"pid": None}])
def test_nonsense_is_not_alive(nonsense):
    assert not alive(nonsense)


def test_an_identity_is_written_and_read(tmp_path):
    write_identity(tmp_path / "me.json", port=7)
    assert alive(read_identity(tmp_path / "me.json"))
    assert read_identity(tmp_path / "me.json")["port"] == 7
    assert read_identity(tmp_path / "nobody.json") is None
    (tmp_path / "odd.json").write_text("[1]")
    assert read_identity(tmp_path / "odd.json") is None


def test_a_detached_process_has_a_session_and_a_log_of_its_own(tmp_path):
    code = "import os; print(os.getsid(0) == os.getpid(), os.getcwd(), flush=True)"
    process = spawn_detached([sys.executable, "-c", code], tmp_path / "log")
    assert process.wait(20) == 0
    assert (tmp_path / "log").read_text().split() == ["True", str(tmp_path)]
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_what_a_dead_child_left_in_its_session_ends_with_it(tmp_path):
    code = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True)"
    process = spawn_detached([sys.executable, "-c", code], tmp_path / "log")
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    sleeper = int((tmp_path / "log").read_text())
    known = identity(sleeper)
    assert alive(known)
    assert exit_code(process) == 0
    fd = os.pidfd_open(sleeper) if alive(known) else None
    if fd is not None:
        import select

        assert select.select([fd], [], [], 10)[0]
        os.close(fd)


def test_slots():
    assert device_slots({"CUDA_VISIBLE_DEVICES": "", "LEPTON_CPU_SLOTS": "1"}) == ["cpu:0"]
    assert device_slots({"CUDA_VISIBLE_DEVICES": "0,2", "LEPTON_CPU_SLOTS": "2"}) == [
        "cpu:0",
        "cpu:1",
        "cuda:0",
        "cuda:2",
    ]
    by_cores = [f"cpu:{i}" for i in range(max(1, len(os.sched_getaffinity(0)) // 2))]
    assert device_slots({"CUDA_VISIBLE_DEVICES": "-1", "LEPTON_CPU_SLOTS": "many"}) == by_cores
    assert device_slots({"CUDA_VISIBLE_DEVICES": ""}) == by_cores


def test_a_run_gets_a_slot_of_its_kind_or_waits():
    slots = ["cpu:0", "cuda:0", "cuda:1"]
    assert free_slot("auto", slots, {}) == "cuda:0"
    assert free_slot("auto", slots, {"cuda:0": 1.0}) == "cuda:1"
    assert free_slot("cuda", slots, {"cuda:0": 1.0, "cuda:1": 1.0}) is None
    assert free_slot("cpu", slots, {"cuda:0": 1.0}) == "cpu:0"
    assert free_slot("auto", ["cpu:0"], {}) == "cpu:0"
    assert free_slot("cuda", ["cpu:0"], {}) == "cpu:0"
    assert free_slot("auto", ["cpu:0"], {"cpu:0": 1.0}) is None


def test_shares_of_a_gpu_fill_one_before_the_next_is_begun():
    slots = ["cpu:0", "cuda:0", "cuda:1"]
    assert free_slot("auto", slots, {"cuda:1": 0.5}, share=0.5) == "cuda:1"
    assert free_slot("auto", slots, {"cuda:1": 0.5}, share=0.6) == "cuda:0"
    assert free_slot("auto", slots, {"cuda:0": 0.7, "cuda:1": 0.9}, share=0.4) is None
    assert free_slot("auto", slots, {"cuda:0": 0.9}, share=0.1) == "cuda:0"  # 0.9 + 0.1 is a whole one
    assert free_slot("cpu", slots, {"cpu:0": 1.0}, share=0.1) is None  # a CPU slot is given as a whole


def test_a_run_of_several_processes_has_a_slot_for_each_or_all_there_are():
    slots = ["cpu:0", "cpu:1", "cpu:2", "cuda:0", "cuda:1"]
    assert free_slots("cpu", slots, {}, devices=2) == "cpu:0,cpu:1"
    assert free_slots("cpu", slots, {"cpu:0": 1.0}, devices=2) == "cpu:1,cpu:2"
    assert free_slots("cpu", slots, {"cpu:0": 1.0, "cpu:1": 1.0}, devices=2) is None
    assert free_slots("cpu", ["cpu:0"], {}, devices=2) == "cpu:0"  # a slot is two cores
    assert free_slots("auto", slots, {"cuda:0": 0.5}, devices=2) is None  # no GPU is shared with another run
    assert free_slots("auto", slots, {}, devices=2) == "cuda:0,cuda:1"
    assert slot_environment("cuda:0,cuda:1", {})["CUDA_VISIBLE_DEVICES"] == "0,1"


def test_more_processes_than_devices_are_refused_in_a_sentence():
    cores = len(os.sched_getaffinity(0))
    check_devices(cores, "cpu")
    with pytest.raises(RunError, match=f"devices is {cores + 1}; expected at most {cores}"):
        check_devices(cores + 1, "cpu")
    with pytest.raises(RunError, match=r"devices is 3; expected at most 2, the number of this machine's GPUs"):
        check_devices(3, "auto", {"CUDA_VISIBLE_DEVICES": "0,1"})


def test_a_worker_sees_its_own_gpu_alone_and_remembers_the_others():
    assert slot_environment("cuda:1", {})["CUDA_VISIBLE_DEVICES"] == "1"
    assert slot_environment("cuda:1", {})["LEPTON_ALL_DEVICES"] == "-"
    assert slot_environment("cuda:1", {"CUDA_VISIBLE_DEVICES": "0,1"})["LEPTON_ALL_DEVICES"] == "0,1"
    assert slot_environment("cpu:0", {}) == {"OMP_WAIT_POLICY": "PASSIVE"}
    assert slot_environment("cuda:1", {})["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert "CUDA_DEVICE_ORDER" not in slot_environment("cuda:1", {"CUDA_VISIBLE_DEVICES": "1,0"})
    assert slot_environment("cuda:1", {}, share=0.25)["LEPTON_GPU_SHARE"] == "0.25"
    assert "LEPTON_GPU_SHARE" not in slot_environment("cuda:1", {})
