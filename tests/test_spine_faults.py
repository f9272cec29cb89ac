"""kill -9 of worker, notebook kernel, Jupyter server and supervisor, one after the other, while a run trains.

All parts are real: a Jupyter server with the extension, a kernel that starts the run with the magic, the supervisor,
the worker on digits. The run must finish, with the curve and the weights of a run that nobody has touched.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import websocket

from lepton_lab.runs.checkpoints import latest_checkpoint
from lepton_lab.runs.control import send_command
from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import RunRecord, list_runs, submit
from lepton_lab.runs.states import ENDED, RunState
from lepton_lab.specs import RunSpec
from tests.browser.servers import environment, free_port
from tests.ledger import Ledger
from tests.processes import end_processes_of, processes_of
from tests.waiting import wait_until

EPOCHS = 150
CELL = f"""
%load_ext lepton_lab
%lepton data digits
%lepton model cnn
%lepton train --epochs {EPOCHS} --checkpoint-every-seconds 0.3 --max-restarts 5 --threads 1 --name killed
"""
ADOPTED_SECONDS = 10.0
"""Longest time without a supervisor (FAULTS F4)."""


class Jupyter:
    """A Jupyter server as a process, with one kernel."""

    def __init__(self, folder: Path, store: Path) -> None:
        self._port, self._token = free_port(), secrets.token_hex(16)
        folder.mkdir()
        settings = {
            "ServerApp": {"open_browser": False, "allow_root": True, "port": self._port, "port_retries": 0},
            "IdentityProvider": {"token": self._token},
        }
        config = folder / "jupyter_config.json"
        config.write_text(json.dumps(settings))
        with open(folder / "server.log", "wb") as log:
            argv = [sys.executable, "-m", "jupyter_server", f"--config={config}"]
            env = environment(folder, store)
            self.process = subprocess.Popen(argv, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True)
        wait_until(self._answers, "the Jupyter server", 60.0)
        self.kernel_id = str(self.ask("api/kernels", {})["id"])

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """A GET, or a POST of JSON, and its answer."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"token {self._token}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}/{path}", data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def run_cell(self, source: str) -> None:
        """Runs a cell in the kernel, as a notebook page does, and waits for its end."""
        url = f"ws://127.0.0.1:{self._port}/api/kernels/{self.kernel_id}/channels"
        channel = websocket.create_connection(url, header=[f"Authorization: token {self._token}"], timeout=60)
        header = {"msg_id": "cell", "msg_type": "execute_request", "version": "5.3", "session": "s", "username": ""}
        content = {"code": source, "silent": False, "store_history": True, "allow_stdin": False}
        request = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content}
        channel.send(json.dumps(request))
        while True:
            message = json.loads(channel.recv())
            if message["parent_header"].get("msg_id") == "cell":
                assert message["msg_type"] != "error", message["content"]
                if message["msg_type"] == "execute_reply":
                    assert message["content"]["status"] == "ok", message["content"]
                    return channel.close()

    def kernel_pid(self) -> int:
        """The process of the kernel."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return next(child.pid for child in children if "ipykernel_launcher" in " ".join(child.cmdline()))

    def _answers(self) -> bool:
        assert self.process.poll() is None, "the Jupyter server has ended"
        try:
            return bool(self.ask("api/status"))
        except OSError:
            return False


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    yield Store(tmp_path / "store").prepare()
    for process in psutil.process_iter(["cmdline"]):  # kernels whose server was killed
        if str(tmp_path / "jupyter") in " ".join(process.info["cmdline"] or []):
            process.kill()
    end_processes_of(tmp_path / "store")


def pid_of(path: Path) -> int:
    """The process that a record names."""
    return int(json.loads(path.read_text())["pid"])


def kill(pid: int) -> None:
    """kill -9, and waits until the process is gone."""
    process = psutil.Process(pid)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, f"the end of {pid}")


def moves_on(run: RunRecord, num_epochs: int = 2) -> None:
    """Waits until the run has done a few epochs more; it must not have come to its end by then."""
    goal = run.summary().epoch + num_epochs
    wait_until(lambda: run.summary().epoch >= goal or ended(run), f"epoch {goal} of {run.run_id}", 60.0)
    assert not ended(run), f"{run.run_id} ended before the last kill: {run.summary()}"


def ended(run: RunRecord) -> bool:
    """Whether nothing more will come of the run."""
    return RunState(run.summary().state) in ENDED


def weights_of(run: RunRecord) -> str:
    """A hash of the weights in the run's last checkpoint."""
    found = latest_checkpoint(run.dir)
    assert found is not None
    return hashlib.sha256((found[1] / "model.safetensors").read_bytes()).hexdigest()


@pytest.mark.fault
@pytest.mark.timeout(1800)
def test_a_run_survives_the_kill_of_every_process_around_it(
    store: Store, tmp_path: Path, figure: Callable[..., None], faults: Ledger
) -> None:
    jupyter = Jupyter(tmp_path / "jupyter", store.root)
    jupyter.run_cell(CELL)
    (summary,) = list_runs(store)
    run = RunRecord(store, summary.run_id)
    moves_on(run, 3)

    kill(pid_of(run.dir / "worker.json"))
    wait_until(lambda: run.summary().restarts == 1, "the restart of the worker")
    moves_on(run)

    kernel = jupyter.kernel_pid()
    kill(kernel)
    moves_on(run)

    kill(jupyter.process.pid)
    moves_on(run)

    supervisor = pid_of(store.supervisor_json)
    kill(supervisor)
    killed_at = time.monotonic()
    wait_until(lambda: pid_of(store.supervisor_json) != supervisor, "a new supervisor", 2 * ADOPTED_SECONDS)
    figure("spine", "supervisor killed: seconds until there is a new one", [time.monotonic() - killed_at], "<= 10")
    moves_on(run)

    kill(pid_of(run.dir / "worker.json"))
    wait_until(lambda: run.summary().restarts == 2, "a restart by the new supervisor")
    wait_until(lambda: ended(run), "the end of the run", 300.0)
    assert run.summary().state == "finished", run.summary().message

    events = run.events()
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert len([event for event in events if event["type"] == "RunFinished"]) == 1
    curve = run.curve()
    epochs, steps = list(curve.series["val_accuracy"].x), list(curve.series["train_loss"].steps)
    gaps = len({float(epoch) for epoch in range(1, EPOCHS + 1)} ^ set(epochs))
    duplicates = len(epochs) - len(set(epochs)) + len(steps) - len(set(steps))
    figure("spine", "kill -9 of worker (twice), kernel, server, supervisor: gaps in the curve", [gaps], "== 0")
    figure("spine", "kill -9 of worker (twice), kernel, server, supervisor: duplicate points", [duplicates], "== 0")
    assert (epochs, steps) == (sorted(epochs), sorted(steps))
    faults.add("F1 F3 F4 worker, kernel, Jupyter server, supervisor killed around one run", 5, gaps + duplicates)

    undisturbed = submit(store, run.spec(), name="undisturbed")
    wait_until(lambda: ended(undisturbed), "the run that nobody kills", 300.0)
    assert list(undisturbed.curve().series["val_loss"].y) == list(curve.series["val_loss"].y)
    differing = int(weights_of(undisturbed) != weights_of(run))
    figure("spine", "weights that differ from those of a run nobody killed (0: bit-equal)", [differing], "== 0")


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.timeout(1800)
def test_kernel_and_server_killed_again_and_again_leave_the_run_alone(
    store: Store, tmp_path: Path, repeat: Callable[[int, int], int], faults: Ledger
) -> None:
    """F3, F4: each round a new Jupyter server, a kernel that looks at the run, and the end of both."""
    spec = RunSpec.parse(
        {
            "data": {"name": "digits"},
            "model": {"name": "cnn"},
            "train": {"epochs": 5000, "threads": 1, "checkpoint_every_seconds": 1.0},
        }
    )
    run = submit(store, spec)
    wait_until(lambda: run.summary().epoch > 1, "the first epoch", 60.0)
    worker, rounds = pid_of(run.dir / "worker.json"), repeat(1, 8)
    for number in range(rounds):
        jupyter = Jupyter(tmp_path / f"jupyter-{number}", store.root)
        jupyter.run_cell(f"import lepton_lab as lab\nassert lab.run({run.run_id!r}).state == 'running'")
        kernel = jupyter.kernel_pid()
        kill(kernel)
        kill(jupyter.process.pid)
        moves_on(run, 1)
    assert pid_of(run.dir / "worker.json") == worker and run.summary().restarts == 0
    epochs = list(run.curve().series["val_accuracy"].x)
    lost = int(epochs != [float(epoch) for epoch in range(1, len(epochs) + 1)])
    faults.add("F3 F4 kernel and Jupyter server killed", 2 * rounds, lost)
    assert not lost
    send_command(run.dir, "stop", {"hard": True}, by="test")
    wait_until(lambda: ended(run), "the end of the run", 60.0)


def test_two_servers_on_one_store_start_one_supervisor(store: Store, tmp_path: Path) -> None:
    """Both extensions see the waiting run; the lock lets one supervisor stay."""
    spec = RunSpec.parse({"data": {"name": "digits"}, "model": {"name": "cnn"}, "train": {"epochs": 1}})
    servers = [Jupyter(tmp_path / name, store.root) for name in ("first", "second")]
    run = submit(store, spec)
    wait_until(lambda: ended(run), "the end of the run", 60.0)
    supervisors = [each for each in processes_of(store.root) if "lepton_lab.runs.supervisor" in each.cmdline()]
    assert len(supervisors) == 1
    for server in servers:
        kill(server.process.pid)
