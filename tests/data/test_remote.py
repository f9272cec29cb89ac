"""Data on other machines through fsspec: fetched once for each version, no password kept, nothing left of a break."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import fsspec
import numpy as np
import pytest

from lepton_lab.data import load
from lepton_lab.errors import DataError, SpecError
from lepton_lab.specs import DataSpec

ROWS = "a,b,label\n" + "".join(f"{n},{n * n % 7},{n % 2}\n" for n in range(40))


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    """The file system that lives in this process's memory, empty before and after."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def test_a_file_is_fetched_once_and_again_when_it_changed(store, memory):
    memory.pipe("/bucket/rows.csv", ROWS.encode())
    spec = DataSpec(name="memory://bucket/rows.csv")
    first = load(spec, store)
    assert (first.name, first.modality, first.classes) == ("rows", "table", ["0", "1"])
    assert first.spec.name == "memory://bucket/rows.csv"
    assert load(spec, store).fingerprint == first.fingerprint
    fetched = list((store.root / "cache").glob("remote-*"))
    assert len(fetched) == 1
    memory.pipe("/bucket/rows.csv", (ROWS + "1,1,2\n" * 20).encode())
    assert load(spec, store).classes == ["0", "1", "2"]


def test_a_folder_and_an_archive(store, memory, material):
    for part in ("TRAIN", "TEST"):
        content = (material / "ucr-uea" / f"GunPoint_{part}.ts").read_bytes()
        memory.pipe(f"/sets/GunPoint/GunPoint_{part}.ts", content)
    dataset = load(DataSpec(name="memory://sets/GunPoint"), store)
    assert dataset.name == "GunPoint" and len(dataset.splits["test"]) == 150


def test_over_http(store, tmp_path):
    (tmp_path / "www").mkdir()
    pictures = np.arange(40 * 64, dtype=np.uint8).reshape(40, 8, 8)
    np.savez(tmp_path / "www" / "set.npz", x=pictures, y=np.arange(40) % 2)
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(tmp_path / "www"))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert load(DataSpec(name=f"{address}/set.npz"), store).input_shape == (1, 8, 8)
        with pytest.raises(DataError, match="nothing at"):
            load(DataSpec(name=f"{address}/other.npz"), store)
        server.shutdown()


def test_passwords_and_unknown_addresses_are_refused(store):
    with pytest.raises(SpecError, match="user name or password") as caught:
        load(DataSpec(name="https://me:canary@host/x.csv"), store)
    assert "canary" not in str(caught.value)
    with pytest.raises(DataError, match="cannot be read"):
        load(DataSpec(name="nosuch://host/x.csv"), store)


def test_a_break_leaves_nothing(store, memory: fsspec.AbstractFileSystem):
    for number in range(3):
        memory.pipe(f"/many/{number}.csv", ROWS.encode())

    def stop(what: str, fraction: float | None) -> None:
        if what.startswith("Fetching"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(DataSpec(name="memory://many"), store, stop)
    assert not [path for path in Path(store.root / "cache").iterdir() if path.name != "sources"]
