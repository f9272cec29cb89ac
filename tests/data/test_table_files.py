"""Tables in files of every form give the same rows; large ones are read in batches, and wrong ones are named."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import feather

from lepton_lab.data import load, readers
from lepton_lab.data.readers import read_table
from lepton_lab.errors import DataError, LeptonError
from lepton_lab.specs import DataSpec

ROWS = 150
DRAW = np.random.default_rng(0)
FRAME = pl.DataFrame(
    {
        "size": DRAW.normal(0, 1, ROWS).round(3),
        "when": pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 12, 31), "1d", eager=True)[:ROWS],
        "shop": DRAW.choice(["north", "south"], ROWS),
        "express": DRAW.choice([True, False], ROWS),
        "label": DRAW.choice(["yes", "no"], ROWS),
    }
)

FORMS = {
    "rows.csv": lambda path: FRAME.write_csv(path),
    "rows.tsv": lambda path: FRAME.write_csv(path, separator="\t"),
    "semicolons.csv": lambda path: path.write_bytes(FRAME.write_csv(separator=";").encode("utf-16")),
    "rows.parquet": lambda path: FRAME.write_parquet(path),
    "rows.arrow": lambda path: FRAME.write_ipc(path),
    "stream.arrow": lambda path: FRAME.write_ipc_stream(path),
    "rows.feather": lambda path: feather.write_feather(FRAME.to_arrow(), path),
    "rows.jsonl": lambda path: FRAME.write_ndjson(path),
    "rows.json": lambda path: path.write_text(json.dumps(FRAME.to_dicts(), default=str)),
    "columns.json": lambda path: path.write_text(json.dumps(FRAME.to_dict(as_series=False), default=str)),
}


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What the first form gives."""
    from types import SimpleNamespace

    place = tmp_path_factory.mktemp("expected")
    FRAME.write_parquet(place / "rows.parquet")
    return load(DataSpec(name=str(place / "rows.parquet")), SimpleNamespace(root=place / "store"))


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_rows(store, tmp_path, expected, name):
    FORMS[name](tmp_path / name)
    dataset = load(DataSpec(name=str(tmp_path / name)), store)
    roles = {column["name"]: column["role"] for column in dataset.card().columns}
    assert roles == {"size": "number", "when": "date", "shop": "category", "express": "category", "label": "target"}
    for part, split in dataset.splits.items():
        assert np.array_equal(split.inputs, expected.splits[part].inputs)
        assert np.array_equal(split.labels, expected.splits[part].labels)


def test_a_large_text_table_is_read_in_batches(store, tmp_path, monkeypatch, expected):
    path = tmp_path / "rows.csv"
    FRAME.write_csv(path)
    monkeypatch.setattr(readers, "LARGE_BYTES", 1)
    dataset = load(DataSpec(name=str(path)), store)
    assert np.array_equal(dataset.splits["train"].inputs, expected.splits["train"].inputs)
    assert not list((store.root / "cache").glob(".batches-*")), "what was kept while reading is gone"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_large_table_in_another_encoding(tmp_path, monkeypatch, encoding):
    path = tmp_path / "rows.csv"
    path.write_bytes(
        ("größe;ort\r\n" + "".join(f"{row},Köln\r\n".replace(",", ";") for row in range(50))).encode(encoding)
    )
    monkeypatch.setattr(readers, "LARGE_BYTES", 1)
    table = read_table(path, tmp_path).table
    assert table.columns == ["größe", "ort"] and table.height == 50 and table["ort"].to_list() == ["Köln"] * 50


def test_a_row_of_another_length_in_a_large_table_is_named(tmp_path, monkeypatch):
    path = tmp_path / "rows.csv"
    lines = [f"{row},{row * 2}" for row in range(60_000)]
    lines[50_000] = "1,2,3"
    path.write_text("a,b\n" + "\n".join(lines), "utf-8")
    monkeypatch.setattr(readers, "LARGE_BYTES", 1)
    with pytest.raises(DataError, match=r"rows\.csv.*Expected 2 columns, got 3"):
        read_table(path, tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.parquet", b"PAR1 and nothing else", "cannot be read"),
        ("a.arrow", b"ARROW1\x00\x00broken", "cannot be read"),
        ("a.feather", b"nothing", "cannot be read"),
        ("a.jsonl", b'{"a": 1, "b": 2}\n[1, 2]\n', "line 2 is no JSON object"),
        ("a.json", b'{"a": 1', "cannot be read as JSON"),
        ("a.json", b'{"a": 1}', "holds no table"),
        ("a.json", b"[[1, 2], [1]]", "all lists of one length"),
        ("a.json", b'[1, "x"]', "all lists of one length"),
    ],
)
def test_broken_files_are_named(store, tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        load(DataSpec(name=str(tmp_path / name)), store)
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_parts_of_a_folder_are_kept(store, tmp_path):
    for name, rows in (("train-00000-of-00001", 100), ("validation-00000-of-00001", 20), ("test-00000-of-00001", 30)):
        FRAME.head(rows).write_parquet(tmp_path / f"{name}.parquet")
    (tmp_path / "notes.md").write_text("nothing")
    dataset = load(DataSpec(name=str(tmp_path)), store)
    assert {name: len(part) for name, part in dataset.splits.items()} == {"train": 100, "validation": 20, "test": 30}
    assert any("'notes.md'" in warning["message"] for warning in dataset.card().warnings)
    FRAME.rename({"shop": "store"}).write_parquet(tmp_path / "test-00000-of-00001.parquet")
    with pytest.raises(DataError, match="have different columns"):
        load(DataSpec(name=str(tmp_path)), store)


def test_nested_cells_can_be_left_out_or_be_several_labels(store, tmp_path):
    table = pa.table({"size": FRAME["size"].to_list(), "odd": [{"a": 1}] * ROWS, "tags": [["x"], ["x", "y"], []] * 50})
    pl.from_arrow(table).write_parquet(tmp_path / "rows.parquet")
    with pytest.raises(DataError, match=r"'odd' holds Struct.*odd=ignored"):
        load(DataSpec(name=str(tmp_path / "rows.parquet")), store)
    dataset = load(DataSpec(name=str(tmp_path / "rows.parquet"), roles={"odd": "ignored"}), store)
    assert dataset.task == "multilabel" and dataset.classes == ["x", "y"]


def test_a_folder_of_documents_and_a_corpus_by_part(store, tmp_path):
    for part, rows in (("train", 20), ("test", 6)):
        for label in ("bad", "good"):
            (tmp_path / "films" / part / label).mkdir(parents=True)
            for row in range(rows):
                (tmp_path / "films" / part / label / f"{row}.txt").write_text(f"a {label} film, the {row}th", "utf-8")
    films = load(DataSpec(name=str(tmp_path / "films")), store)
    assert films.modality == "text" and films.classes == ["bad", "good"]
    assert len(films.splits["test"]) == 12 and films.raw_sample("test", 0).startswith("a bad film")
    (tmp_path / "wiki").mkdir()
    for part in ("train", "valid", "test"):
        (tmp_path / "wiki" / f"{part}.txt").write_text(f"Once, in the {part}, a fox ran.\nIt was late.\n" * 40, "utf-8")
    wiki = load(DataSpec(name=str(tmp_path / "wiki"), window=16), store)
    assert wiki.task == "language" and all(len(part) for part in wiki.splits.values())
    assert wiki.raw_sample("validation", 0).endswith("\N{REPLACEMENT CHARACTER}al"), "the training part has no v"
    words = load(DataSpec(name=str(tmp_path / "wiki" / "train.txt"), tokenizer="words", window=8), store)
    assert words.preparation.tokenizer.level == "words" and "fox" in words.preparation.tokenizer.vocabulary


@pytest.mark.parametrize("name", ["rows.parquet", "rows.arrow", "rows.jsonl", "rows.json"])
def test_mutated_files_are_read_or_named(store, tmp_path, name):
    FORMS[name](tmp_path / name)
    whole, draw = (tmp_path / name).read_bytes(), np.random.default_rng(0)
    for trial in range(12):
        broken = bytearray(whole)
        for place in draw.integers(0, len(broken), 1 + trial % 4):
            broken[place] = draw.integers(0, 256)
        path = tmp_path / f"{trial}-{name}"
        path.write_bytes(broken[: draw.integers(1, len(broken))] if trial % 5 == 0 else broken)
        try:
            dataset = load(DataSpec(name=str(path)), store)
        except LeptonError as error:
            assert "\n" not in str(error)
        else:
            assert sum(len(part) for part in dataset.splits.values())
