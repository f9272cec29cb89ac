"""A run on a real Ray cluster of three nodes: the curve of one process, whoever dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from lepton_lab.errors import LeptonError
from lepton_lab.runs import Store
from lepton_lab.runs.checkpoints import newest_step
from lepton_lab.runs.events import read_events
from lepton_lab.session import Host, Session
from tests.processes import end_processes_of
from tests.training.training_lab import curve_of
from tests.waiting import wait_until

ray = pytest.importorskip("ray", reason="NO RAY: install lepton-lab[ray]")
pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]
SECONDS = 180
OPTIONS = {"seed": 3, "batch_size": 50, "threads": 1}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without room for ranks, and two nodes with room."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    made.add_node(num_cpus=2)
    made.add_node(num_cpus=2)
    yield made
    made.shutdown()


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    store = Store(tmp_path / "store").prepare()
    yield Session(store, Host())
    end_processes_of(store.root)


def model_of(session: Session) -> Any:
    return session.select_model("cnn", session.load_data("digits"), channels=8, stages=2)


def ranks() -> list[psutil.Process]:
    """The processes of Ray Train that train."""
    found = [
        each for each in psutil.process_iter(["cmdline"]) if "RayTrainWorker" in " ".join(each.info["cmdline"] or [])
    ]
    return sorted(found, key=lambda process: process.pid)


def folder(run: Any) -> Path:
    return Path(run.record.dir)


def events_of(run: Any, kind: str) -> list[dict[str, Any]]:
    return [event for event in read_events(folder(run)) if event["type"] == kind]


def wait_for_room(cluster: Any, num_cpus: int) -> None:
    """Until the last run's processes have given back what they had."""
    from lepton_lab.runs.ray_cluster import connect

    connection = connect(cluster.address, "a test")
    try:
        wait_until(lambda: connection.available_resources().get("CPU", 0) >= num_cpus, "room on the cluster", SECONDS)
    finally:
        connection.shutdown()


def test_the_curve_is_that_of_one_process_whatever_dies(session, cluster):
    alone = model_of(session).train(wait=True, epochs=30, **OPTIONS)
    run = model_of(session).train(
        wait=False, epochs=30, cluster=cluster.address, workers=2, checkpoint_every_seconds=0.2, **OPTIONS
    )
    wait_until(lambda: newest_step(folder(run)) > 0, "a checkpoint", SECONDS)
    before = ranks()
    os.kill(before[-1].pid, signal.SIGKILL)
    run.wait(SECONDS)

    assert run.state == "finished", run.summary
    (again,) = events_of(run, "RunRestarted")
    assert again["from_step"] > 0 and "cluster" in again["message"]
    curves, expected = curve_of(folder(run)), curve_of(folder(alone))
    for name in ("train_loss", "val_loss", "val_accuracy"):
        assert curves[name][0] == expected[name][0]
        ours, theirs = np.array(curves[name][1]), np.array(expected[name][1])
        # What the order of a sum changes grows from step to step: nothing to see at first, a little at the end.
        head = len(theirs) // 4
        np.testing.assert_allclose(ours[:head], theirs[:head], atol=2e-3, err_msg=name)
        np.testing.assert_allclose(ours, theirs, atol=0.1, err_msg=name)
    assert events_of(run, "RunStarted")[-1]["devices"] == 2
    wait_until(lambda: (folder(run) / "bundle").exists(), "the bundle", SECONDS)


def test_a_network_that_is_cut_over_a_cluster_trains_as_a_whole_one_and_goes_on_after_a_death(session, cluster):
    alone = model_of(session).train(wait=True, epochs=2, **OPTIONS)
    more = {"workers": 2, "shard": "always", "checkpoint_every_seconds": 0.2}
    run = model_of(session).train(wait=False, epochs=2, cluster=cluster.address, **more, **OPTIONS)
    wait_until(lambda: newest_step(folder(run)) > 0, "a checkpoint", SECONDS)
    os.kill(ranks()[-1].pid, signal.SIGKILL)
    run.wait(SECONDS)
    assert run.state == "finished", run.summary
    assert len(events_of(run, "RunRestarted")) <= 1  # the run may be done before its process is
    assert all(each["shard"] for each in events_of(run, "RunStarted"))
    ours, theirs = curve_of(folder(run))["val_loss"], curve_of(folder(alone))["val_loss"]
    assert ours[0] == theirs[0]
    np.testing.assert_allclose(ours[1], theirs[1], atol=2e-3)


def test_commands_reach_a_run_on_a_cluster_and_its_worker_may_die(session, cluster):
    run = model_of(session).train(
        wait=False, epochs=400, cluster=cluster.address, workers=2, checkpoint_every_seconds=0.5, **OPTIONS
    )
    wait_until(lambda: newest_step(folder(run)) > 0, "a checkpoint", SECONDS)
    wait_until(lambda: (folder(run) / "far.json").exists(), "what the ranks use", SECONDS)
    run.set_learning_rate(1e-4)
    wait_until(lambda: events_of(run, "LearningRateChanged"), "the learning rate", SECONDS)
    run.pause()
    wait_until(lambda: events_of(run, "RunPaused"), "the pause", SECONDS)
    run.resume()
    wait_until(lambda: events_of(run, "RunResumed"), "the end of the pause", SECONDS)

    saved = newest_step(folder(run))
    os.kill(events_of(run, "RunStarting")[-1]["pid"], signal.SIGKILL)
    wait_until(lambda: newest_step(folder(run)) > saved, "steps after the worker's death", SECONDS)
    run.stop()
    run.wait(SECONDS)
    assert run.state == "stopped"
    assert all(each["from_step"] >= saved for each in events_of(run, "RunStarted")[1:])


def test_trials_of_a_search_work_on_the_cluster_several_at_a_time(session, cluster, monkeypatch):
    monkeypatch.setenv("LEPTON_CPU_SLOTS", "1")
    study = model_of(session).tune(
        "learning_rate=1e-3..1e-1", wait=True, trials=4, epochs=2, prune="none", cluster=cluster.address, **OPTIONS
    )
    table = study.table
    assert table.state == "finished" and table.count("finished") == 4, table
    spans = []
    for trial in table.trials:
        events = list(read_events(session.store.run_dir(trial.run_id)))
        starting = next(event for event in events if event["type"] == "RunStarting")
        assert starting["slot"].startswith("cluster:")
        spans.append((starting["time"], next(event["time"] for event in events if event["type"] == "RunFinished")))
    assert any(first[0] < other[0] < first[1] for first in spans for other in spans)


def test_a_run_waits_while_the_cluster_is_full_and_the_queue_of_this_machine_goes_on(session, cluster, monkeypatch):
    monkeypatch.setenv("LEPTON_CPU_SLOTS", "1")
    there = {"cluster": cluster.address, "workers": 2, **OPTIONS}
    large = model_of(session).train(wait=False, epochs=4000, cpus_per_worker=2, **there)
    wait_until(lambda: newest_step(folder(large)) > 0, "the large run to train", SECONDS)
    small = model_of(session).train(wait=False, epochs=2, **there)
    wait_until(lambda: events_of(small, "ClusterAwaited"), "the small run to wait", SECONDS)
    assert (small.state, small.summary.message) == ("starting", "The run waits for 2 x 1 CPU on the cluster.")
    assert "2 x 1 CPU of the cluster" in str(session.queue())
    here = model_of(session).train(wait=True, epochs=1, **OPTIONS)
    assert here.state == "finished"
    assert (large.state, small.state) == ("running", "starting")
    large.stop()
    small.wait(SECONDS)
    assert small.state == "finished" and small.summary.message is None
    large.wait(SECONDS)


# Before the other test that adds a host: Ray places as many as it knows of, and it learns of a host within 20 seconds.
def test_a_run_goes_on_with_fewer_processes_when_a_host_is_lost(session, cluster):
    there = {"cluster": cluster.address, "workers": 4, "min_workers": 2}
    wait_for_room(cluster, 4)
    run = model_of(session).train(wait=False, epochs=60, checkpoint_every_seconds=0.5, **there, **OPTIONS)
    wait_until(lambda: newest_step(folder(run)) > 0, "a checkpoint", SECONDS)
    assert events_of(run, "RunStarted")[0]["devices"] == 4
    cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
    run.wait(2 * SECONDS)
    assert run.state == "finished", run.summary
    assert events_of(run, "RunStarted")[-1]["devices"] == 2
    cluster.add_node(num_cpus=2)


def test_the_work_of_a_lost_host_is_taken_up_by_another_one(session, cluster):
    run = model_of(session).train(
        wait=False, epochs=60, cluster=cluster.address, workers=2, checkpoint_every_seconds=0.5, **OPTIONS
    )
    wait_until(lambda: newest_step(folder(run)) > 0, "a checkpoint", SECONDS)
    raylets = {node: node.all_processes["raylet"][0].process.pid for node in cluster.worker_nodes}
    at_work = {rank.ppid() for rank in ranks()}
    lost = next(node for node, pid in raylets.items() if pid in at_work)
    cluster.remove_node(lost, allow_graceful=False)
    run.wait(SECONDS)
    assert run.state == "finished", run.summary
    again = events_of(run, "RunRestarted")
    assert again and again[0]["from_step"] > 0
    cluster.add_node(num_cpus=2)


def test_data_is_brought_to_a_host_once_and_is_the_same(session, cluster, tmp_path):
    from lepton_lab.runs.ray_cluster import connect
    from lepton_lab.scaling.shelf import Contents, needed, put_on_shelf

    dataset = session.load_data("digits").prepared
    connection = connect(cluster.address, "a test")
    try:
        parcel = put_on_shelf(connection, Contents.of(dataset), session.store.root)
        first = parcel.fetched(tmp_path)
        marks = {file.name: file.stat().st_mtime_ns for file in first.iterdir()}
        assert parcel.fetched(tmp_path) == first
        assert {file.name: file.stat().st_mtime_ns for file in first.iterdir()} == marks
        whole = session.store.root / "cache" / dataset.fingerprint
        names = needed(file.name for file in whole.iterdir())
        assert {file.name for file in first.iterdir()} == set(names)  # the test part stays with the worker
        for name in set(names) - {"meta.json"}:
            assert (first / name).read_bytes() == (whole / name).read_bytes()
    finally:
        connection.shutdown()


def test_a_cluster_that_is_not_there_is_told_in_a_sentence(session):
    with pytest.raises(LeptonError, match=r"No Ray cluster answers at '127\.0\.0\.1:1'"):
        model_of(session).train(wait=True, epochs=1, cluster="127.0.0.1:1")
