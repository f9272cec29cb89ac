"""The tensor store: whole or not at all whoever dies, cancelled without a trace, bounded, rebuilt when needed."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from lepton_lab.data import load, storage
from lepton_lab.data.fingerprint import of_prepared
from lepton_lab.data.loading import VERSION
from lepton_lab.data.sources.find import find_source
from lepton_lab.data.storage import LIMIT_VARIABLE
from lepton_lab.errors import StoreError
from lepton_lab.specs import DataSpec
from tests.waiting import wait_until


def pictures(folder: Path, count: int, side: int = 24) -> Path:
    """Two classes of pictures."""
    draw = np.random.default_rng(0)
    for label in ("a", "b"):
        (folder / label).mkdir(parents=True)
        for number in range(count // 2):
            Image.fromarray(draw.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(
                folder / label / f"{number}.png"
            )
    return folder


def made(store) -> set[str]:
    """What lies in the cache, but for remembered hashes."""
    cache = Path(store.root) / "cache"
    return {path.name for path in cache.iterdir() if path.name != "sources"} if cache.exists() else set()


@pytest.mark.parametrize(
    ("at", "count"), [("Looking at the pictures", 40), ("Decoding pictures", 440), ("Preparing", 40)]
)
def test_who_cancels_leaves_nothing(store, tmp_path, at, count):
    folder = pictures(tmp_path / "set", count, side=8)

    def cancel(what: str, fraction: float | None) -> None:
        if what == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(DataSpec(name=str(folder)), store, cancel)
    assert made(store) == set()
    dataset = load(DataSpec(name=str(folder)), store)
    assert made(store) == {dataset.fingerprint} and sum(map(len, dataset.splits.values())) == count


def test_progress_goes_from_nothing_to_all(store, tmp_path):
    told: list[tuple[str, float | None]] = []
    load(
        DataSpec(name=str(pictures(tmp_path / "set", 450, side=8))), store, lambda what, part: told.append((what, part))
    )
    decoding = [part for what, part in told if what == "Decoding pictures"]
    assert decoding == sorted(decoding) and decoding[-1] == 1.0 and len(decoding) >= 7


KILLED = """
import os, signal, sys
from pathlib import Path
from lepton_lab.data import load
from lepton_lab.specs import DataSpec
class Store: root = Path(sys.argv[1])
seen = 0
def progress(what, fraction):
    global seen
    seen += 1
    if seen == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
print(load(DataSpec(name=sys.argv[2]), Store, progress).fingerprint)
"""


@pytest.mark.parametrize("moment", [2, 12])
def test_a_killed_build_leaves_a_whole_store_or_none(store, tmp_path, moment):
    folder = pictures(tmp_path / "set", 500)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(store.root), str(folder), str(moment)], capture_output=True, text=True
    )
    finished = killed.returncode == 0
    assert finished or killed.returncode == -signal.SIGKILL, killed.stderr
    whole = [name for name in made(store) if not name.startswith(".")]
    dataset = load(DataSpec(name=str(folder)), store)
    assert whole == ([dataset.fingerprint] if finished else [])
    assert sum(len(part) for part in dataset.splits.values()) == 500


def test_helpers_end_with_the_process_that_asked_them(store, tmp_path):
    folder = pictures(tmp_path / "set", 500, side=64)
    code = KILLED.replace("seen == int(sys.argv[3])", "what == 'Decoding pictures' and fraction >= 0.1")
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [sys.executable, "-c", code, str(store.root), str(folder), "0"]
    killed = subprocess.run(command, capture_output=True, cwd=tmp_path, env=here)
    assert killed.returncode == -signal.SIGKILL

    def helpers() -> list[int]:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if "lepton_lab.data.filling" in process.cmdline() and process.cwd() == str(tmp_path):
                    found.append(process.pid)
        return found

    wait_until(lambda: not helpers(), "the helpers to end")


def test_nothing_is_rebuilt_when_nothing_changed(store, tmp_path):
    folder = pictures(tmp_path / "set", 40)
    told: list[str] = []
    spec = DataSpec(name=str(folder))
    first = load(spec, store)
    for change in (
        lambda: None,
        lambda: os.utime(folder / "a" / "0.png"),  # a new time with the old content
        lambda: (folder / "a" / "0.png").write_bytes((folder / "a" / "0.png").read_bytes()),
        lambda: (folder / "a" / "0.png").chmod(0o600),
    ):
        change()
        again = load(spec, store, lambda what, part: told.append(what))
        assert again.fingerprint == first.fingerprint and not told


def test_everything_is_rebuilt_when_something_did(store, tmp_path):
    folder = pictures(tmp_path / "set", 40)
    spec = DataSpec(name=str(folder))
    seen = {load(spec, store).fingerprint}

    def is_new(options: DataSpec) -> bool:
        before = len(seen)
        seen.add(load(options, store).fingerprint)
        return len(seen) == before + 1

    for option, value in (
        ("image_size", 16),
        ("image_fit", "squeeze"),
        ("normalize", "minmax"),
        ("split_seed", 1),
        ("test_fraction", 0.3),
    ):
        assert is_new(spec.changed(**{option: value})), option
    picture = folder / "a" / "0.png"
    state, content = picture.stat(), bytearray(picture.read_bytes())
    other = Image.fromarray(np.zeros((24, 24, 3), np.uint8))
    other.save(picture)
    assert is_new(spec)
    picture.write_bytes(content)
    os.utime(picture, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert load(spec, store).fingerprint in seen, "the old content is the old dataset, whatever the times say"
    picture.rename(folder / "b" / "new.png")
    assert is_new(spec)


def test_a_change_of_content_with_size_and_time_kept_is_seen(store, tmp_path):
    folder = tmp_path / "set"
    for label in ("a", "b"):
        (folder / label).mkdir(parents=True)
        for number in range(10):
            Image.fromarray(np.full((9, 9, 3), number * 20 + (label == "b"), np.uint8)).save(
                folder / label / f"{number}.bmp"
            )
    spec = DataSpec(name=str(folder))
    before, picture = load(spec, store).fingerprint, folder / "a" / "3.bmp"
    state = picture.stat()
    picture.write_bytes((folder / "a" / "4.bmp").read_bytes())
    os.utime(picture, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert picture.stat().st_size == state.st_size and load(spec, store).fingerprint != before


def test_what_was_used_longest_ago_makes_room(store, tmp_path, monkeypatch):
    folder = pictures(tmp_path / "set", 200, side=32)
    monkeypatch.setenv(LIMIT_VARIABLE, "0.0015")
    specs = [DataSpec(name=str(folder), split_seed=seed) for seed in range(3)]
    first, second = (load(spec, store) for spec in specs[:2])
    now = time.time()
    for age, dataset in ((30, first), (20, second)):
        os.utime(storage.folder(store, dataset.fingerprint), (now - age, now - age))
    load(specs[0], store)  # used again: now the second is the oldest
    row = np.array(second.splits["train"].inputs[0])
    third = load(specs[2], store)
    assert made(store) == {first.fingerprint, third.fingerprint}
    assert (second.splits["train"].inputs[0] == row).all(), "what is mapped stays readable"
    assert load(specs[1], store).fingerprint == second.fingerprint


def test_what_a_notebook_gave_is_never_removed(store, tmp_path, monkeypatch):
    from lepton_lab.data import from_arrays

    spec = from_arrays(np.zeros((50, 8, 8), np.uint8), np.arange(50) % 2, store=store)
    monkeypatch.setenv(LIMIT_VARIABLE, "0.000001")
    load(spec, store)
    load(spec.changed(split_seed=1), store)
    assert spec.fingerprint in made(store) and len(made(store)) == 2


def test_a_limit_that_is_no_number_is_said(store, monkeypatch):
    monkeypatch.setenv(LIMIT_VARIABLE, "plenty")
    with pytest.raises(StoreError, match="expected a number of gigabytes"):
        load(DataSpec(name="digits"), store)


def test_what_another_version_prepared_is_made_anew(store):
    spec = DataSpec(name="digits")
    first = load(spec, store)
    identity = find_source(spec, store).identity(store)
    assert first.fingerprint == of_prepared(identity, spec, VERSION) != of_prepared(identity, spec, VERSION - 1)
    described = storage.folder(store, first.fingerprint) / storage.META
    meta = json.loads(described.read_text("utf-8"))
    for changes in ({"preparation": {"kind": "image", "of": "a later version"}}, {"classes": None}):
        described.write_text(json.dumps({**meta, **changes}), "utf-8")
        told: list[str] = []
        again = load(spec, store, lambda what, part, told=told: told.append(what))
        assert told and again.fingerprint == first.fingerprint and made(store) == {first.fingerprint}
        assert (again.splits["test"].inputs == first.splits["test"].inputs).all()


def test_a_new_description_or_other_arrays_ask_for_a_new_version(store, tmp_path):
    """Fails when what is prepared changes: raise `VERSION` in `data/loading.py`, and write the new digest here."""
    (tmp_path / "rows.csv").write_text("size,kind,said\n" + "1,a,one word\n2,b,two more words\n" * 20, "utf-8")
    digest = hashlib.sha256()
    for spec in (DataSpec(name="digits"), DataSpec(name=str(tmp_path / "rows.csv"), target="kind")):
        dataset = load(spec, store)
        for part in dataset.splits.values():
            digest.update(np.ascontiguousarray(part.inputs).tobytes() + np.ascontiguousarray(part.labels).tobytes())
        digest.update(" ".join(sorted(_keys(dataset.meta))).encode())
    assert (VERSION, digest.hexdigest()[:16]) == (7, "58d150497b5c56c2")


def _keys(value: object, path: str = "") -> set[str]:
    """The keys of nested dicts with their types; numbers are left out, whose last bits may differ by processor."""
    if isinstance(value, dict):
        return {found for key, inner in value.items() for found in _keys(inner, f"{path}.{key}")}
    return {f"{path}:{type(value).__name__}"}
