"""Datasets by name: those that need no download, the forms of the public ones, and what is taken on trust."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import re
import struct
import sys
import tarfile
import zipfile

import numpy as np
import pytest
import soundfile

from lepton_lab.data import DATASETS, known_names, load
from lepton_lab.data.download import obtain
from lepton_lab.data.registry import RemoteFile, _plugins
from lepton_lab.data.sources.named import FORMS
from lepton_lab.errors import DataError, UnknownName
from lepton_lab.specs import TASKS, DataSpec


def silent(what: str, fraction: float | None) -> None:
    return None


def kinds(dataset) -> dict[str, str]:
    return {warning["kind"]: warning["severity"] for warning in dataset.card().warnings}


@pytest.mark.parametrize(
    ("name", "task", "num_rows", "num_columns", "classes"),
    [
        ("iris", "classification", 150, 4, ["setosa", "versicolor", "virginica"]),
        ("wine", "classification", 178, 13, ["class_0", "class_1", "class_2"]),
        ("breast-cancer", "classification", 569, 30, ["benign", "malignant"]),
        ("diabetes", "regression", 442, 10, ["progression"]),
    ],
)
def test_sets_that_need_no_download(store, name, task, num_rows, num_columns, classes):
    dataset = load(DataSpec(name=name), store)
    card = dataset.card()
    assert (dataset.name, card.task, card.num_rows, dataset.classes) == (name, task, num_rows, classes)
    assert len([column for column in card.columns if column["role"] in ("number", "category")]) == num_columns
    assert card.licence and card.citation and card.source == DATASETS[name].source


def test_every_entry_says_what_a_person_must_know():
    for name, info in DATASETS.items():
        assert info.name == name and info.task in TASKS and info.num_rows > 0 and info.form in FORMS
        assert info.licence and info.citation and info.description.endswith(".") and info.source.startswith("http")
        assert bool(info.files) != info.offline and bool(info.urls) != info.offline
        assert all(re.fullmatch("[0-9a-f]{64}", file.sha256 or "") for file in info.files)
        DataSpec.parse({"name": name, **info.options})


@pytest.mark.parametrize(
    ("name", "folder", "num_rows", "task"),
    [
        ("etth1", "ett", None, "forecasting"),
        ("etth2", "ett", None, "forecasting"),
        ("clinc150", "clinc150", 23_700, "classification"),
        ("names", "names-by-nationality/names", 20_050, "classification"),
        ("tiny-shakespeare", "tiny-shakespeare", None, "language"),
    ],
)
def test_official_files_from_a_mirror(store, material, name, folder, num_rows, task):
    dataset = load(DataSpec(name=name, mirror=str(material / folder)), store)
    card = dataset.card()
    assert (dataset.name, card.task, card.licence) == (name, task, DATASETS[name].licence)
    assert num_rows is None or card.num_rows == num_rows
    assert "seen_first" not in kinds(dataset), "these files are held to a SHA-256 that is known beforehand"


def packed(files: dict[str, bytes], kind: str) -> bytes:
    """An archive of files."""
    out = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(out, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(fileobj=out, mode="w:gz") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def idx(array: np.ndarray) -> bytes:
    return gzip.compress(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes())


def wave(number: int) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, np.sin(np.arange(2000) * (0.05 + 0.1 * number)), 8000, format="WAV")
    return out.getvalue()


def people(rows: int, dot: str = "") -> bytes:
    line = "{}, Private, {}, Bachelors, 13, Never-married, ?, Husband, White, Male, 0, 0, 40, Cuba, {}" + dot
    lines = [line.format(20 + row % 50, 1000 + 7 * row, "<=50K" if row % 3 else ">50K") for row in range(rows)]
    return "\n".join(lines).encode() + b"\n\n"


def small_files(name: str) -> dict[str, bytes]:
    """Few rows in exactly the form that the makers' files have."""
    draw = np.random.default_rng(0)
    if name == "mnist":
        return {
            f"{part}-{what}-idx{kind}-ubyte.gz": idx(draw.integers(0, 10 if what == "labels" else 256, shape, np.uint8))
            for part, rows in (("train", 60), ("t10k", 20))
            for what, kind, shape in (("images", 3, (rows, 28, 28)), ("labels", 1, (rows,)))
        }
    if name == "cifar-10":
        batch = b"".join(bytes([row % 10]) + draw.bytes(3072) for row in range(30))
        names = [*(f"data_batch_{number}" for number in (1, 2)), "test_batch"]
        return {"cifar-10-binary.tar.gz": packed({f"cifar-10-batches-bin/{one}.bin": batch for one in names}, "tar")}
    if name == "ag-news":
        row = '"{}","A title, number {}","What ""was"" said about {} by them"\n'
        lines = [row.format(number % 4 + 1, number, number * 3) for number in range(80)]
        return {"train.csv": "".join(lines[:60]).encode(), "test.csv": "".join(lines[60:]).encode()}
    if name == "imdb":
        found = {"aclImdb/README": b"about", "aclImdb/train/unsup/0_0.txt": b"no label"}
        for row in range(40):
            place = f"aclImdb/{'train' if row < 28 else 'test'}/{'pos' if row % 2 else 'neg'}/{row}_7.txt"
            found[place] = f"a film that was {'good' if row % 2 else 'bad'} in {row} ways".encode()
        return {"aclImdb_v1.tar.gz": packed(found, "tar")}
    if name == "speech-commands":
        found = {f"{word}/{row}_nohash_0.wav": wave(row) for word in ("yes", "no") for row in range(15)}
        found |= {"_background_noise_/noise.wav": wave(1), "README.md": b"about"}
        found["validation_list.txt"] = b"yes/0_nohash_0.wav\nno/0_nohash_0.wav\nno/1_nohash_0.wav\n"
        found["testing_list.txt"] = "".join(
            f"{word}/{row}_nohash_0.wav\n" for word in ("yes", "no") for row in (7, 8)
        ).encode()
        return {"speech_commands_v0.02.tar.gz": packed(found, "tar")}
    if name == "free-spoken-digit":
        root = "free-spoken-digit-dataset-1.0.10/recordings"
        found = {f"{root}/{digit}_theo_{row}.wav": wave(digit) for digit in range(3) for row in range(20)}
        return {"free-spoken-digit-dataset-1.0.10.zip": packed(found, "zip")}
    if name == "movielens":
        lines = [f"{row % 9 + 1}\t{row % 13 + 1}\t{row % 5 + 1}\t{880_000_000 + row}" for row in range(100)]
        return {"ml-100k.zip": packed({"ml-100k/u.data": "\n".join(lines).encode(), "ml-100k/u.item": b"x"}, "zip")}
    if name == "movielens-1m":
        lines = [f"{row % 9 + 1}::{row % 13 + 1}::{row % 5 + 1}::{980_000_000 + row}" for row in range(100)]
        return {"ml-1m.zip": packed({"ml-1m/ratings.dat": "\n".join(lines).encode(), "ml-1m/users.dat": b"1"}, "zip")}
    if name == "adult":
        return {"adult.data": people(90), "adult.test": b"|1x3 Cross validator\n" + people(30, ".")}
    if name == "wine-quality-red":
        lines = [f"{row * 0.1:.1f};{row % 7 * 0.3:.2f};{3 + row % 5}" for row in range(60)]
        return {"winequality-red.csv": b'"acid";"sugar";"quality"\n' + "\n".join(lines).encode()}
    raise AssertionError(name)


@pytest.mark.parametrize(
    ("name", "rows", "modality"),
    [
        ("mnist", {"train": 54, "validation": 6, "test": 20}, "image"),
        ("cifar-10", {"train": 54, "validation": 6, "test": 30}, "image"),
        ("ag-news", {"train": 54, "validation": 6, "test": 20}, "text"),
        ("imdb", {"train": 25, "validation": 3, "test": 12}, "text"),
        ("speech-commands", {"train": 23, "validation": 3, "test": 4}, "audio"),
        ("free-spoken-digit", {"train": 41, "validation": 4, "test": 15}, "audio"),
        ("movielens", {"train": 72, "validation": 8, "test": 20}, "interactions"),
        ("movielens-1m", {"train": 72, "validation": 8, "test": 20}, "interactions"),
        ("adult", {"train": 81, "validation": 9, "test": 30}, "table"),
        ("wine-quality-red", {"train": 43, "validation": 5, "test": 12}, "table"),
    ],
)
def test_the_forms_of_public_files_are_read(store, tmp_path, monkeypatch, name, rows, modality):
    mirror = tmp_path / "mirror" / name
    mirror.mkdir(parents=True)
    for file, content in small_files(name).items():
        (mirror / file).write_bytes(content)
    info = DATASETS[name]
    # The sizes and the hashes in the entries are those of the makers' large files.
    plain = tuple(dataclasses.replace(file, num_bytes=None, sha256=None, md5=None) for file in info.files)
    monkeypatch.setitem(DATASETS, name, dataclasses.replace(info, files=plain))
    dataset = load(DataSpec(name=name, mirror=str(tmp_path / "mirror")), store)
    card = dataset.card()
    assert (card.task, card.modality, card.name) == (info.task, modality, name)
    assert card.rows == rows
    assert kinds(dataset)["seen_first"] == "warning", "it is told that nobody states the hash of these files"
    if name in ("ag-news", "mnist", "cifar-10"):
        assert sorted(dataset.classes) == sorted(info.classes)
    if name == "ag-news":
        assert dataset.raw_sample("test", 0).keys() == {"title", "description"}
    if name == "adult":
        assert dataset.classes == ["<=50K", ">50K"]
    if name == "imdb":
        assert dataset.classes == ["neg", "pos"]


def test_the_first_content_is_the_right_one_from_then_on(store, tmp_path):
    info = dataclasses.replace(DATASETS["mnist"], name="toy", files=(RemoteFile("a.bin"),))
    (tmp_path / "a.bin").write_bytes(b"first")
    remarks = []
    obtain(info, store, str(tmp_path), silent, remarks)
    assert hashlib.sha256(b"first").hexdigest() in remarks[0].message and remarks[0].severity == "warning"
    again = []
    obtain(info, store, str(tmp_path), silent, again)
    assert again[0].severity == "note", "it is a surprise only once"
    (tmp_path / "a.bin").write_bytes(b"other")
    with pytest.raises(DataError, match=r"is not the first seen a\.bin"):
        obtain(info, store, str(tmp_path), silent)


def test_an_md5_that_the_makers_state_is_held_to(store, tmp_path):
    stated = hashlib.md5(b"right").hexdigest()
    info = dataclasses.replace(DATASETS["mnist"], name="toy", files=(RemoteFile("a.bin", md5=stated),))
    (tmp_path / "a.bin").write_bytes(b"wrong")
    with pytest.raises(DataError, match=r"is not the official a\.bin"):
        obtain(info, store, str(tmp_path), silent)
    (tmp_path / "a.bin").write_bytes(b"right")
    assert obtain(info, store, str(tmp_path), silent)["a.bin"].read_bytes() == b"right"


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """An installed package with an entry point for each of some datasets."""
    (tmp_path / "toy_sets.py").write_text(
        "import polars as pl\n"
        "from lepton_lab.data import DatasetInfo\n"
        "def frame():\n"
        "    return pl.DataFrame({'size': [row * 0.5 for row in range(80)], 'kind': ['a', 'b'] * 40})\n"
        "info = DatasetInfo('toy-set', 'A toy', 'classification', 80, 'MIT', 'https://example.org', 'Toys.', True,\n"
        "                   citation='Toy, 2026', make=frame)\n"
        "strange = 'no entry'\n",
        "utf-8",
    )
    home = tmp_path / "toy_sets-1.0.dist-info"
    home.mkdir()
    (home / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-sets\nVersion: 1.0\n")
    (home / "entry_points.txt").write_text(
        "[lepton_lab.datasets]\ntoy-set = toy_sets:info\nbroken-set = toy_sets:nothing\nodd-set = toy_sets:strange\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    _plugins.cache_clear()
    yield
    _plugins.cache_clear()
    sys.modules.pop("toy_sets", None)


def test_a_plugin_brings_a_dataset(store, plugin):
    assert "toy-set" in known_names()
    toy = load(DataSpec(name="toy-set"), store)
    assert toy.name == "toy-set" and toy.card().num_rows == 80 and toy.card().licence == "MIT"
    assert toy.classes == ["a", "b"] and load(DataSpec(name="toy-set"), store).fingerprint == toy.fingerprint


@pytest.mark.parametrize(("name", "said"), [("broken-set", "cannot be loaded"), ("odd-set", "expected a DatasetInfo")])
def test_a_plugin_that_fails_is_named(store, plugin, name, said):
    with pytest.raises(DataError, match=f"{name}.*{said}"):
        load(DataSpec(name=name), store)


def test_an_unknown_name_gets_the_nearest(store):
    with pytest.raises(UnknownName, match="Did you mean 'cifar-10'"):
        load(DataSpec(name="cifar10"), store)
