"""Fashion-MNIST from mirrors that are folders or addresses: verified, resumed, and clear when offline."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from lepton_lab.data import DATASETS, load
from lepton_lab.data.array_files import read_idx
from lepton_lab.data.download import obtain, redacted
from lepton_lab.data.registry import RemoteFile
from lepton_lab.data.storage import folder
from lepton_lab.errors import DataError
from lepton_lab.specs import DataSpec

CONTENT = np.random.default_rng(0).bytes(1_500_000)
TOY = dataclasses.replace(
    DATASETS["fashion-mnist"],
    name="toy",
    files=(RemoteFile("toy.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest()),),
)
CLOSED = "http://127.0.0.1:9"


class Site(BaseHTTPRequestHandler):
    """Serves files from a dict; may break off after some bytes, and may ignore ranges."""

    def __init__(self, *args, files: dict[str, bytes], asked: list, break_after: list[int], ranges: bool) -> None:
        self.files, self.asked, self.break_after, self.ranges = files, asked, break_after, ranges
        super().__init__(*args)

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Range"), self.headers.get("Authorization")))
        content = self.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-")) if self.headers.get("Range") else 0
        start = start if self.ranges else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        stop = start + self.break_after.pop(0) if self.break_after else len(content)
        self.wfile.write(content[start:stop])

    def log_message(self, *args: object) -> None:
        return None


@contextmanager
def site(
    files: dict[str, bytes], *, break_after: tuple[int, ...] = (), ranges: bool = True
) -> Iterator[tuple[str, list]]:
    asked: list = []
    handler = functools.partial(Site, files=files, asked=asked, break_after=list(break_after), ranges=ranges)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def silent(what: str, fraction: float | None) -> None:
    return None


def test_counts_and_parts_are_the_official_ones(store, material):
    fashion = load(DataSpec(name="fashion-mnist", mirror=str(material)), store)
    assert {name: len(part) for name, part in fashion.splits.items()} == {
        "train": 54_000,
        "validation": 6_000,
        "test": 10_000,
    }
    assert fashion.input_shape == (1, 28, 28)
    assert np.bincount(fashion.splits["test"].labels).tolist() == [1000] * 10
    official = read_idx(material / "fashion-mnist" / "t10k-images-idx3-ubyte.gz")
    assert np.array_equal(fashion.splits["test"].inputs[:, 0], official)
    assert isinstance(fashion.splits["train"].inputs, np.memmap)
    png = fashion.preparation.from_raw([fashion.sample_png("test", row) for row in range(50)])
    assert png.tobytes() == fashion.preparation.apply(official[:50, None]).tobytes()
    # The cache knows the content: no mirror is needed any more.
    assert load(DataSpec(name="fashion-mnist", mirror=CLOSED), store).fingerprint == fashion.fingerprint


def test_the_mirror_may_be_an_environment_variable(store, material, monkeypatch):
    monkeypatch.setenv("LEPTON_DATA_MIRROR", str(material / "fashion-mnist"))
    assert load(DataSpec(name="fashion-mnist"), store).card().num_rows == 70_000


def test_a_folder_without_the_files_is_named(store, tmp_path):
    with pytest.raises(DataError, match=r"has no file train-images-idx3-ubyte\.gz"):
        load(DataSpec(name="fashion-mnist", mirror=str(tmp_path)), store)


def test_a_file_whose_size_nobody_states_is_resumed_and_told(store):
    info = dataclasses.replace(TOY, name="unsized", files=(RemoteFile("toy.bin"),))
    told, remarks = [], []
    with site({"/toy.bin": CONTENT}, break_after=(600_000,)) as (url, asked):
        found = obtain(info, store, url, lambda what, fraction: told.append(fraction), remarks)
        assert found["toy.bin"].read_bytes() == CONTENT
    assert any(ranged and ranged.startswith("bytes=") for _, ranged, _ in asked), "it went on where it broke off"
    assert told[-1] == 1.0 and "no SHA-256" in remarks[0].message


def test_a_file_with_another_content_is_refused(store, tmp_path):
    (tmp_path / "toy.bin").write_bytes(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    with pytest.raises(DataError, match=r"not the official toy\.bin"):
        obtain(TOY, store, str(tmp_path), silent)
    (tmp_path / "toy.bin").write_bytes(CONTENT)
    assert obtain(TOY, store, tmp_path.as_uri(), silent) == {"toy.bin": tmp_path / "toy.bin"}


@pytest.mark.parametrize("path", ["/toy/toy.bin", "/toy.bin"])
def test_an_address_is_read_in_both_layouts(store, path):
    told: list[float] = []
    with site({path: CONTENT}) as (url, asked):
        found = obtain(TOY, store, url, lambda what, fraction: told.append(fraction))
        assert found["toy.bin"].read_bytes() == CONTENT
        assert told == sorted(told) and told[-1] == 1.0
        num_asked = len(asked)
        obtain(TOY, store, url, silent)
        assert len(asked) == num_asked


def test_a_broken_connection_is_resumed_where_it_broke(store):
    with site({"/toy/toy.bin": CONTENT}, break_after=(600_000, 300_000)) as (url, asked):
        found = obtain(TOY, store, url, silent)
    assert found["toy.bin"].read_bytes() == CONTENT
    assert [entry[1] for entry in asked] == [None, "bytes=600000-", "bytes=900000-"]


def test_a_server_without_ranges_begins_anew(store):
    with site({"/toy/toy.bin": CONTENT}, break_after=(600_000,), ranges=False) as (url, _):
        assert obtain(TOY, store, url, silent)["toy.bin"].read_bytes() == CONTENT


def test_a_download_that_was_killed_goes_on_the_next_time(store):
    home = folder(store, "downloads-toy")
    home.mkdir(parents=True)
    (home / "toy.bin.part").write_bytes(CONTENT[:1_000_000])
    with site({"/toy/toy.bin": CONTENT}) as (url, asked):
        assert obtain(TOY, store, url, silent)["toy.bin"].read_bytes() == CONTENT
    assert asked[0][1] == "bytes=1000000-"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (CONTENT[:-1] + b"x", "SHA-256 differs"),
        (CONTENT + b"more", "larger than the official one"),
        (CONTENT[:1000], "broke off"),
    ],
)
def test_a_wrong_content_never_arrives(store, content, said):
    with site({"/toy/toy.bin": content}) as (url, _), pytest.raises(DataError, match=said):
        obtain(TOY, store, url, silent)
    assert not (folder(store, "downloads-toy") / "toy.bin").exists()


def test_offline_says_how_to_set_a_mirror(store):
    offline = dataclasses.replace(TOY, urls=(CLOSED, CLOSED + "/second"))
    with pytest.raises(DataError) as caught:
        obtain(offline, store, None, silent)
    message = str(caught.value)
    assert "Connection refused" in message and "--mirror" in message and "LEPTON_DATA_MIRROR" in message


def test_the_official_source_is_tried_in_order(store):
    with site({"/good/toy.bin": CONTENT}) as (url, asked):
        info = dataclasses.replace(TOY, urls=(url + "/gone", url + "/good"))
        assert obtain(info, store, None, silent)["toy.bin"].read_bytes() == CONTENT
    assert [entry[0] for entry in asked] == ["/gone/toy.bin", "/good/toy.bin"]


def test_a_password_reaches_the_server_but_no_record_and_no_message(store, monkeypatch):
    with pytest.raises(DataError) as caught:
        obtain(TOY, store, "http://ann:canary@127.0.0.1:9/x", silent)
    assert "canary" not in str(caught.value) and "LEPTON_DATA_MIRROR" in str(caught.value)
    with site({"/toy/toy.bin": CONTENT}) as (url, asked):
        monkeypatch.setenv("LEPTON_DATA_MIRROR", url.replace("//", "//ann:canary@"))
        obtain(TOY, store, None, silent)
    assert asked[0][2] == "Basic YW5uOmNhbmFyeQ=="
    monkeypatch.setenv("LEPTON_DATA_MIRROR", "http://ann:canary@127.0.0.1:9")
    with pytest.raises(DataError) as caught:
        obtain(dataclasses.replace(TOY, name="other"), store, None, silent)
    assert "canary" not in str(caught.value)
    assert redacted("https://a:b@host/x?token=canary") == "https://host/x"


def test_other_kinds_of_address_are_refused(store):
    with pytest.raises(DataError, match="neither a folder nor an http"):
        obtain(TOY, store, "ftp://host/x", silent)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "damaged"),
        (b"\x00\x00\x07\x01" + b"\x00\x00\x00\x01", "not an IDX file of numbers"),
        (b"\x00\x00\x08\x01" + b"\xff\xff\xff\xff", "header announces"),
        (b"\x00\x00\x08\x01" + b"\x00\x00\x00\x05abc", "not the 5 bytes"),
        (gzip.compress(b"\x00\x00\x08\x01" + b"\x00\x00\x00\x02" + b"ab" * 1000), "not the 2 bytes"),
        (gzip.compress(b"\x00\x00\x08\x01" + b"\x00\x00\x00\x02ab")[:-9], "damaged"),
    ],
)
def test_broken_idx_files_are_named(tmp_path: Path, content, said):
    path = tmp_path / "labels.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        read_idx(path)
    assert "labels.gz" in str(caught.value)
