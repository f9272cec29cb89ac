"""The cache: whole or not at all, also under kill -9 and with two builders at once."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from lepton_lab.data import storage
from lepton_lab.data.splits import split_rows
from lepton_lab.errors import StoreError

BUILDER = """
import sys
from pathlib import Path
from types import SimpleNamespace
import numpy as np
from lepton_lab.data import storage
store = SimpleNamespace(root=Path(sys.argv[1]))
with storage.build(store, "abc") as (path, meta):
    np.save(path / "a.npy", np.arange(1000))
    print("half", flush=True)
    sys.stdin.readline()
"""


def test_a_killed_build_leaves_nothing_that_can_be_read(store):
    builder = subprocess.Popen(
        [sys.executable, "-c", BUILDER, str(store.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ.copy(),
    )
    assert builder.stdout.readline() == b"half\n"
    builder.send_signal(signal.SIGKILL)
    builder.communicate(timeout=30)
    assert storage.read_meta(storage.folder(store, "abc")) is None
    leftover = next((store.root / "cache").glob(".building-*"))
    os.utime(leftover, (0, 0))
    with storage.build(store, "abc") as (path, _):
        np.save(path / "a.npy", np.arange(10))
    assert storage.read_meta(storage.folder(store, "abc"))["files"] == {"a.npy": 208}
    assert not list((store.root / "cache").glob(".*"))


def test_a_failing_build_leaves_nothing(store):
    with pytest.raises(ZeroDivisionError), storage.build(store, "abc") as (path, _):
        np.save(path / "a.npy", np.arange(10))
        raise ZeroDivisionError
    assert list((store.root / "cache").iterdir()) == []


def test_a_full_disk_is_named(store):
    with pytest.raises(StoreError, match="No space left on device"), storage.build(store, "abc"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list((store.root / "cache").iterdir()) == []


SMALL_DISK = """
import resource, sys
from pathlib import Path
from types import SimpleNamespace
import numpy as np
from lepton_lab.data import from_arrays, load
from lepton_lab.errors import StoreError
from lepton_lab.specs import DataSpec
store = SimpleNamespace(root=Path(sys.argv[1]))
spec = DataSpec(name=sys.argv[2]) if len(sys.argv) > 2 else from_arrays(
    np.zeros((4000, 32, 32), np.uint8), np.arange(4000) % 3, store=store
)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    load(spec, store)
except StoreError as error:
    print("StoreError", error)
"""


@pytest.mark.parametrize("source", ["arrays", "folder", "table"])
def test_no_room_is_an_error_with_a_name_and_never_a_crash(store, tmp_path, source):
    given = []
    if source == "folder":
        (tmp_path / "pictures" / "one").mkdir(parents=True)
        for number in range(100):
            Image.new("RGB", (64, 64), number).save(tmp_path / "pictures" / "one" / f"{number}.png")
        given = [str(tmp_path / "pictures")]
    if source == "table":
        rows = "".join(f"{row * 0.5},{row * 0.25},{'ab'[row % 2]}\n" for row in range(100_000))
        (tmp_path / "table.csv").write_text("x,y,label\n" + rows)
        given = [str(tmp_path / "table.csv")]
    done = subprocess.run(
        [sys.executable, "-c", SMALL_DISK, str(store.root), *given],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ.copy(),
    )
    assert done.returncode == 0 and done.stdout.startswith("StoreError"), (done.returncode, done.stdout, done.stderr)
    assert not list((store.root / "cache").glob(".building-*"))


def test_two_builders_at_once_end_in_one_whole_folder(store):
    barrier, errors = threading.Barrier(4), []

    def one() -> None:
        try:
            with storage.build(store, "abc") as (path, meta):
                np.save(path / "a.npy", np.arange(10))
                meta["who"] = "same"
                barrier.wait(10)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert storage.read_meta(storage.folder(store, "abc"))["who"] == "same"
    assert [path.name for path in (store.root / "cache").iterdir()] == ["abc"]


def test_the_folder_is_closed_to_others(store):
    with storage.build(store, "abc") as (path, _):
        np.save(path / "a.npy", np.arange(10))
    built = storage.folder(store, "abc")
    assert stat.S_IMODE(store.root.stat().st_mode) == 0o700
    assert stat.S_IMODE(built.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(built.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in built.iterdir()} == {0o600}


@pytest.mark.parametrize("fractions", [(0.1, 0.2), (0.0, 0.0), (0.3, 0.6), (0.001, 0.001)])
@pytest.mark.parametrize("counts", [(50, 50), (1, 99), (1, 1), (2, 3, 500), (7,)])
def test_parts_are_disjoint_complete_and_never_empty_a_class(fractions, counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    validation, test = fractions
    parts = split_rows(len(labels), classes=labels, validation_fraction=validation, test_fraction=test, seed=3)
    together = np.sort(np.concatenate(list(parts.values())))
    assert np.array_equal(together, np.arange(len(labels)))
    assert set(labels[parts["train"]]) == set(range(len(counts)))
    again = split_rows(len(labels), classes=labels, validation_fraction=validation, test_fraction=test, seed=3)
    assert all(np.array_equal(parts[name], again[name]) for name in parts)
