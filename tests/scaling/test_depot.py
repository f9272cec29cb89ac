"""Prepared data by way of shared storage."""

from __future__ import annotations

import pytest

from lepton_lab.errors import RunError
from lepton_lab.runs import Store
from lepton_lab.scaling.depot import VARIABLE, WHOLE_FILE
from lepton_lab.scaling.shelf import Contents, put_on_shelf
from lepton_lab.session import Host, Session


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    return Session(Store(tmp_path_factory.mktemp("store")).prepare(), Host())


@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_data_goes_to_each_host_by_way_of_shared_storage(session, tmp_path, monkeypatch, kind):
    monkeypatch.setenv(VARIABLE, {"folder": f"file://{tmp_path}/shared/", "memory": "memory://lepton"}[kind])
    dataset = session.load_data("digits").prepared
    parcel = put_on_shelf(None, Contents.of(dataset), session.store.root)
    assert put_on_shelf(None, Contents.of(dataset), session.store.root) == parcel
    (tmp_path / "host").mkdir()
    found = parcel.fetched(tmp_path / "host")
    for file in (session.store.root / "cache" / dataset.fingerprint).iterdir():
        assert (found / file.name).read_bytes() == file.read_bytes()
    assert not (found / WHOLE_FILE).exists()


def test_shared_storage_that_is_not_whole_or_not_there_is_told_in_a_sentence(session, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, f"file://{tmp_path}/shared")
    dataset = session.load_data("digits").prepared
    parcel = put_on_shelf(None, Contents.of(dataset), session.store.root)
    largest = max((tmp_path / "shared" / "data" / dataset.fingerprint).iterdir(), key=lambda file: file.stat().st_size)
    largest.write_bytes(b"cut short")
    (tmp_path / "host").mkdir()
    with pytest.raises(RunError, match="cannot be read on this host"):
        parcel.fetched(tmp_path / "host")
    assert not [each for each in (tmp_path / "host").iterdir() if each.is_dir()]
    monkeypatch.setenv(VARIABLE, "nothing://here")
    with pytest.raises(RunError, match="cannot be written"):
        put_on_shelf(None, Contents.of(dataset), session.store.root)
