"""Prepared data by way of shared storage: a folder, and an S3-compatible server over HTTP."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from lepton_lab.data.loading import open_prepared
from lepton_lab.errors import RunError
from lepton_lab.runs import Store
from lepton_lab.runs.parts import MANIFEST, Manifest, fetch, send
from lepton_lab.runs.shared import VARIABLE, SharedStorage
from lepton_lab.scaling.shelf import SPLITS, Contents, needed, put_on_shelf
from lepton_lab.session import Host, Session


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return Session(Store(tmp_path_factory.mktemp("store")).prepare(), Host())


@pytest.fixture(params=["folder", "memory", "s3"])
def shared(request, tmp_path, monkeypatch) -> SharedStorage:
    url = {"folder": f"file://{tmp_path}/shared/", "memory": "memory://lepton"}.get(request.param)
    url = url or request.getfixturevalue("s3")
    monkeypatch.setenv(VARIABLE, url)
    return SharedStorage(url)


def test_data_goes_to_each_host_by_way_of_shared_storage(session, shared, tmp_path):
    dataset = session.load_data("digits").prepared
    parcel = put_on_shelf(None, Contents.of(dataset), session.store.root)
    assert put_on_shelf(None, Contents.of(dataset), session.store.root) == parcel
    host = tmp_path / "host"
    host.mkdir()
    ranks = [threading.Thread(target=parcel.fetched, args=(host,)) for _ in range(3)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    found = parcel.fetched(host)
    files = {file.name: file for file in (session.store.root / "cache" / dataset.fingerprint).iterdir()}
    assert {file.name for file in found.iterdir()} == set(needed(files)) < set(files)  # the test part stays away
    for name in set(needed(files)) - {"meta.json"}:
        assert (found / name).read_bytes() == files[name].read_bytes()
    opened = open_prepared(found, name="digits", title="digits", spec=dataset.spec, splits=SPLITS)
    assert set(opened.splits) == set(SPLITS)
    assert np.array_equal(opened.splits["train"].inputs, dataset.splits["train"].inputs)


def test_a_fetch_that_was_cut_goes_on_with_the_parts_that_are_missing(shared, tmp_path):
    content = np.random.default_rng(0).bytes(10_500)
    (tmp_path / "large").write_bytes(content)
    (tmp_path / "empty").write_bytes(b"")
    files = {"rows/large": tmp_path / "large", "empty": tmp_path / "empty"}
    manifest = Manifest.of(files, part_bytes=1000)
    assert send(shared, "cut", files, manifest) == 10_500
    assert send(shared, "cut", files, manifest) == 0
    asked = []

    def until_cut(part):
        asked.append(part)
        return None if len(asked) > 4 else shared.get(f"cut/{part.sha256}")

    with pytest.raises(RunError, match="A part of rows/large is missing"):
        fetch(manifest, tmp_path / "host", until_cut)
    fetched = fetch(Manifest.parse(manifest.encode()), tmp_path / "host", lambda part: shared.get(f"cut/{part.sha256}"))
    assert 0 < fetched < 10_500 - 3000
    assert (tmp_path / "host/rows/large").read_bytes() == content
    assert (tmp_path / "host/empty").read_bytes() == b""
    shared.put(f"cut/{manifest.parts[2].sha256}", b"x" * 1000)
    with pytest.raises(RunError, match="A part of rows/large is damaged"):
        fetch(manifest, tmp_path / "other", lambda part: shared.get(f"cut/{part.sha256}"))


def test_names_that_lead_elsewhere_are_refused():
    for name in ("../up", "/etc/passwd", "a/../../b", ""):
        with pytest.raises(RunError, match="damaged"):
            Manifest.parse(Manifest({name: 0}, ()).encode())


def test_shared_storage_that_is_not_whole_or_not_there_is_told_in_a_sentence(session, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, f"file://{tmp_path}/shared")
    dataset = session.load_data("digits").prepared
    parcel = put_on_shelf(None, Contents.of(dataset), session.store.root)
    place = tmp_path / "shared" / "data" / dataset.fingerprint
    largest = max(place.iterdir(), key=lambda file: file.stat().st_size)
    largest.write_bytes(b"cut short")
    host = tmp_path / "host"
    host.mkdir()
    with pytest.raises(RunError, match=r"A part of .* is damaged"):
        parcel.fetched(host)
    assert not (host / dataset.fingerprint).exists()
    (place / MANIFEST).unlink()
    with pytest.raises(RunError, match="has no whole copy"):
        parcel.fetched(host)
    put_on_shelf(None, Contents.of(dataset), session.store.root)  # the damaged part, too, is put there again
    assert Path(parcel.fetched(host)).is_dir()
    monkeypatch.setenv(VARIABLE, "nothing://here")
    with pytest.raises(RunError, match=r"cannot be read from this host \(Protocol not known: nothing"):
        put_on_shelf(None, Contents.of(dataset), session.store.root)
    monkeypatch.setenv(VARIABLE, "s3://someone:a-secret@bucket/lepton")
    with pytest.raises(RunError, match="holds a password") as refused:
        put_on_shelf(None, Contents.of(dataset), session.store.root)
    assert "a-secret" not in str(refused.value)
