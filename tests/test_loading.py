"""Loading data: a person sees how far it is, and can cancel; nothing half done is left."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading

import pytest

from lepton_lab.data import load
from lepton_lab.runs import Store
from lepton_lab.session.facade import Session
from lepton_lab.session.loading import Cancelled, LoadProgress, bar_text
from lepton_lab.specs import DataSpec
from tests.processes import end_processes_of
from tests.slow_source import slow_source


@pytest.fixture
def path(tmp_path):
    rows = "".join(f"{row * 0.5},{'ab'[row % 2]}\n" for row in range(60))
    (tmp_path / "rows.csv").write_text("size,kind\n" + rows, "utf-8")
    return tmp_path / "rows.csv"


def patient(progress: LoadProgress) -> LoadProgress:
    """As if the load had taken a while already."""
    progress._drawn_at -= 10
    return progress


def test_a_terminal_gets_one_line_that_goes():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    with patient(LoadProgress("rows", out=out)) as progress:
        progress("Decoding <b>pictures</b>", 0.25)
    text = out.getvalue()
    assert "Decoding <b>pictures</b>  ━━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌  25%" in text and text.endswith("\x1b[2K")


def test_what_is_over_in_a_moment_shows_nothing():
    out = io.StringIO()
    with LoadProgress("rows", out=out) as progress:
        progress("Reading", None)
    assert out.getvalue() == ""


def test_a_log_gets_a_line_for_each_new_thing():
    out = io.StringIO()
    with patient(LoadProgress("rows", out=out)) as progress:
        for share in (0.1, 0.2):
            progress("Downloading a.bin", share)
            patient(progress)
        progress("Reading", None)
    assert out.getvalue().splitlines() == ["Downloading a.bin ...", "Reading ..."]
    assert bar_text("Reading", None) == "Reading ..."


def test_a_listener_hears_of_it_and_a_person_cancels_from_another_thread(tmp_path, path):
    session = Session(Store(tmp_path / "store"))
    heard = []

    def listen(what: str, fraction: float | None) -> None:
        heard.append(what)

    session.on_loading = listen
    assert session.load_data(str(path)).name == "rows"

    store = Store(tmp_path / "other")
    cancelled = threading.Event()
    with patient(LoadProgress("rows.csv", listener=listen, cancelled=cancelled)) as progress:
        progress("Looking", None)
        thread = threading.Thread(target=cancelled.set)
        thread.start()
        thread.join()
        with pytest.raises(Cancelled, match=r"Loading rows\.csv was cancelled; nothing of it was kept"):
            load(DataSpec(name=str(path)), store, progress)
    assert heard[-2:] == ["Looking", ""]
    assert not [entry for entry in (store.root / "cache").glob("*") if entry.name != "sources"]
    end_processes_of(tmp_path / "store")


@pytest.mark.parametrize("at", ["Reading", "Preparing"])
def test_an_interrupted_load_leaves_nothing_and_can_be_repeated(tmp_path, path, at):
    store = Store(tmp_path / "store")

    def interrupted(what: str, fraction: float | None) -> None:
        if what.startswith(at):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(DataSpec(name=str(path)), store, interrupted)
    assert not [entry for entry in (store.root / "cache").glob("*") if entry.name != "sources"]
    assert load(DataSpec(name=str(path)), store).card().num_rows == 60


def test_ctrl_c_in_a_terminal_cancels_in_a_sentence(tmp_path):
    with slow_source() as source:
        command = [sys.executable, "-m", "lepton_lab", "data", "mnist", "--mirror", source.address]
        home = {**os.environ, "LEPTON_HOME": str(tmp_path / "store")}
        loading = subprocess.Popen(command, env=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert source.reached.wait(60)
        loading.send_signal(signal.SIGINT)
        said = loading.communicate(timeout=60)[1]
    assert loading.returncode == 130 and "Loading mnist was cancelled; nothing of it was kept." in said
    end_processes_of(tmp_path / "store")


def test_cancelling_ends_a_load_of_the_session(tmp_path, path):
    session = Session(Store(tmp_path / "store"))
    reached = threading.Event()
    dataset = session.load_data(str(path))

    def waits(what: str, fraction: float | None) -> None:
        reached.set()

    session.on_loading = waits
    original = type(dataset).prepare

    def prepare(self, progress=None):
        session.cancel_loading()
        return original(self, progress)

    class Loaded(type(dataset)):
        pass

    Loaded.prepare = prepare
    with pytest.raises(Cancelled):
        session._prepared(Loaded(DataSpec(name=str(path), split_seed=1), session.store))
    end_processes_of(tmp_path / "store")
