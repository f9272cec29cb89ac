"""A run over hosts with addresses of their own, which see nothing of one another's folders, with Ray's tokens on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from lepton_lab.runs import Store
from lepton_lab.runs.checkpoints import newest_step
from lepton_lab.runs.copies import read_note
from lepton_lab.runs.events import read_events
from lepton_lab.runs.shared import VARIABLE
from tests.processes import end_processes_of, processes_of
from tests.scaling.heads import RAY, WITH_US, Head, end_all_of, start_node
from tests.scaling.hosts import NoNamespaces, as_host, hosts, inside, on
from tests.storing import bucket, files_with_the_secret
from tests.waiting import wait_until

pytest.importorskip("ray", reason="NO RAY: install lepton-lab[ray]")
pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]
SECONDS = 180
PORT = 6379


@pytest.fixture
def three() -> Iterator[list[tuple[str, str]]]:
    try:
        with hosts(3) as found:
            yield found
    except NoNamespaces as error:
        pytest.skip(f"NO NETWORK NAMESPACES: {error}")


@pytest.fixture
def room() -> Iterator[Path]:
    """A short path, which sockets need."""
    with tempfile.TemporaryDirectory(prefix="ll", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


class Hosts(NamedTuple):
    """A head, which lends nothing, and hosts that train; none sees the others' folders."""

    head: Head
    first: str
    others: list[tuple[str, str]]
    nodes: dict[str, subprocess.Popen[bytes]]
    env: dict[str, str]

    def session(self, name: str, *words: str) -> subprocess.Popen[str]:
        """A person's session on one of them."""
        where = on(self.nodes[name].pid) if name in self.nodes else inside(name)
        command = [*where, sys.executable, "-m", "tests.scaling.far_session", *words]
        return subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, text=True)


@contextmanager
def joined(
    three: list[tuple[str, str]], room: Path, hidden: dict[str, list[Path]], further: dict[str, str], idle: str = ""
) -> Iterator[Hosts]:
    """Starts Ray on all three, with a token; what is hidden from each stands by its name. An idle one lends nothing."""
    token = room / "token"
    token.write_text("0123456789abcdef" * 4)
    env = {**os.environ, "RAY_AUTH_TOKEN_PATH": str(token), "CUDA_VISIBLE_DEVICES": "", "RAY_USAGE_STATS_ENABLED": "0"}
    env.pop("RAY_AUTH_MODE", None)
    env |= further
    (first, address), *others = three
    head = Head(room / "ray", PORT, 0, inside(first), address, {**env, "RAY_AUTH_MODE": "token"})
    try:
        head.start()
        nodes = {
            name: join(name, own, head.address, room, hidden[name], env, 0 if name == idle else 2)
            for name, own in others
        }
        yield Hosts(head, first, others, nodes, env)
    finally:
        for _, own in others:
            end_all_of(f"node_ip_address={own}")
        head.kill()


def test_a_run_over_hosts_of_their_own_outlives_one_of_them(three, room, tmp_path):
    store = Store(tmp_path / "store").prepare()
    hidden = [store.root, room / "ray"]
    with joined(three, room, {name: hidden for name, _ in three}, {}) as found:
        stranger = {**found.env, "RAY_AUTH_TOKEN_PATH": str(room / "none"), "HOME": str(room)}
        knock = [*inside(found.first), sys.executable, "-c", CONNECTS, found.head.address]
        assert subprocess.run(knock, env=stranger).returncode == 3
        try:
            with found.session(found.first, str(store.root), found.head.address, "80") as person:
                folder = store.run_dir("far")
                wait_until(lambda: newest_step(folder) > 0, "a checkpoint", SECONDS)
                at_work = host_of_ranks([own for _, own in found.others])
                end_all_of(f"node_ip_address={at_work}")
                said, _ = person.communicate(timeout=SECONDS)
        finally:
            end_processes_of(store.root)
        assert said.split()[-1] == "finished", said
        events = list(read_events(folder))
        again = [event for event in events if event["type"] == "RunRestarted"]
        assert again and again[0]["from_step"] > 0


def test_when_the_workers_host_is_lost_another_one_takes_the_run_up_from_s3(three, room, tmp_path):
    (first, address), (lost, _), (left, _) = three
    here, there = (Store(tmp_path / name).prepare() for name in ("here", "there"))
    with ExitStack() as stack:
        stack.callback(end_processes_of, here.root)
        stack.callback(end_processes_of, there.root)
        storage = stack.enter_context(bucket(host=address, before=inside(first)))
        further = {**storage.environment, VARIABLE: storage.url}
        hidden = {lost: [room / "ray"], left: [here.root, room / "ray"]}
        found = stack.enter_context(joined(three, room, hidden, further, idle=lost))
        person = stack.enter_context(found.session(lost, str(here.root), found.head.address, "120"))
        wait_until(lambda: len(read_note(here.run_dir("far")).steps) > 1, "two copies", SECONDS)
        copied = read_note(here.run_dir("far")).steps[-1]
        found.nodes[lost].kill()  # and with it all that runs there
        person.wait(SECONDS)
        wait_until(lambda: not processes_of(here.root), "the end of the supervisor and the worker", SECONDS)
        assert files_with_the_secret(here.root) == []
        shutil.rmtree(here.root)

        with found.session(left, str(there.root), found.head.address, "take") as other:
            said, _ = other.communicate(timeout=2 * SECONDS)
        assert said.split()[-1] == "finished", said
        events = read_events(there.run_dir("far"))
        started = [event for event in events if event["type"] == "RunStarted"]
        assert started[-1]["from_step"] >= copied
        epochs = [event["epoch"] for event in events if event["type"] == "EpochEnded" and event["step"] > copied]
        assert epochs[-1] == 120
        brought = list(room.glob("*/lepton-data-*/*/meta.json"))
        assert brought and not list(room.glob("*/lepton-data-*/*/test.*"))
        its_own_disk = Path(f"/proc/{psutil.Process(found.nodes[left].pid).children()[0].pid}/root{room}/ray")
        assert files_with_the_secret(there.root, room, its_own_disk) == []


CONNECTS = """
import sys
from lepton_lab.errors import RunError
from lepton_lab.runs.ray_cluster import connect
try:
    connect(sys.argv[1], "a test")
except RunError as error:
    print(error)
    sys.exit(3 if "token" in str(error) else 4)
"""


def join(
    name: str, own: str, head: str, room: Path, hidden: list[Path], env: dict[str, str], num_cpus: int
) -> subprocess.Popen[bytes]:
    """A node, which keeps what it fetches to itself; some folders it does not see."""
    mine = room / name
    mine.mkdir()
    where = [*WITH_US, *as_host(name, hidden)]
    command = [*where, *RAY, "start", f"--address={head}", f"--node-ip-address={own}"]
    node_env = {**env, "TMPDIR": str(mine), "RAY_AUTH_MODE": "token"}
    return start_node(
        [*command, f"--num-cpus={num_cpus}", "--block"], room / f"{name}.log", node_env, f"a node on {name}"
    )


def host_of_ranks(addresses: list[str]) -> str:
    """The host whose processes train."""
    for process in psutil.process_iter(["cmdline"]):
        if "RayTrainWorker" in " ".join(process.info["cmdline"] or ""):
            raylet = " ".join(psutil.Process(process.ppid()).cmdline())
            return next(each for each in addresses if f"node_ip_address={each}" in raylet)
    raise AssertionError("no rank is at work")
