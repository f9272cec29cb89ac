"""What ranks on other hosts print and use reaches the run's log and its device charts."""

from __future__ import annotations

import io
import resource
import threading
from multiprocessing.connection import Client

import psutil
import pytest

from lepton_lab.runs.atomic import read_json
from lepton_lab.runs.monitor import Monitor, read_run_monitor, write_far_use
from lepton_lab.runs.paths import Store
from lepton_lab.scaling.notes import MOST_LINES, Noted, Notes
from tests.waiting import wait_until

KEY = b"k" * 32


def test_what_ranks_print_and_how_they_fail_stands_in_the_log(tmp_path, capsys):
    log = io.StringIO()
    notes = Notes(tmp_path, KEY, "127.0.0.1", log)
    with Noted(notes.address, KEY, 0):
        print("hello from a network")
        for number in range(MOST_LINES + 50):
            print("many", number)
    with pytest.raises(ZeroDivisionError), Noted(notes.address, KEY, 3):
        1 / 0  # noqa: B018
    with Noted(notes.address, b"another key", 4):
        print("a stranger")
    wait_until(lambda: "rank 3: ZeroDivisionError: division by zero" in log.getvalue(), "the traceback")
    notes.close()
    assert "rank 0: hello from a network\n" in log.getvalue()
    assert "lines are left out" in log.getvalue() and "a stranger" not in log.getvalue()
    print("printed as before")
    assert "hello from a network" in capsys.readouterr().out


def test_a_runs_chart_has_what_its_ranks_use_elsewhere(tmp_path):
    store = Store(tmp_path).prepare()
    folder = store.run_dir("far")
    folder.mkdir()
    notes = Notes(folder, KEY, "127.0.0.1", io.StringIO())
    leave = threading.Event()

    def rank(number: int) -> None:
        with Noted(notes.address, KEY, number):
            leave.wait(60)

    ranks = [threading.Thread(target=rank, args=(number,)) for number in (0, 1)]
    for each in ranks:
        each.start()
    wait_until(lambda: (folder / "far.json").exists(), "what they use")
    Monitor(store).tick({"far": (2**22 + 1, {"slot": "cluster:0"})})  # its worker has no process of that number
    (sample,) = read_run_monitor(store, "far")
    assert sample["memory_bytes"] > 10e6 and "cpu_cores" in sample
    leave.set()
    for each in ranks:
        each.join()
    wait_until(lambda: set(read_json(folder / "far.json")) == {"time"}, "them to be gone")
    notes.close()
    write_far_use(folder, {"cpu_cores": 5.0}, wall=lambda: 0.0)  # of long ago
    Monitor(store).tick({"far": (2**22 + 1, {})})
    assert "cpu_cores" not in read_run_monitor(store, "far")[-1]


def test_a_run_has_more_ranks_than_a_process_may_have_files_by_default(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few, many = psutil.Process().num_fds() + 20, 60
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
    log = io.StringIO()
    try:
        notes = Notes(tmp_path, KEY, "127.0.0.1", log)
        ranks = [Client(notes.address, authkey=KEY) for _ in range(many)]
        for number, rank in enumerate(ranks):
            rank.send(("lines", number, ["here"]))
        wait_until(lambda: log.getvalue().count(": here\n") == many, "all ranks")
        for rank in ranks:
            rank.close()
        notes.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
