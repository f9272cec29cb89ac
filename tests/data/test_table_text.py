"""Text tables as they come: encodings, separators, headers, and a line number for what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from lepton_lab.data import load
from lepton_lab.data.table_text import looks_like_header, read_text_table
from lepton_lab.errors import DataError, LeptonError
from lepton_lab.specs import DataSpec


@pytest.fixture
def table(tmp_path):
    def write(content: str | bytes, name: str = "table.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return write


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_separators_and_line_ends(table, separator, newline):
    rows = [["name", "size", "kind"], ["a, b; c", "1", "x"], ["d", "2", "y"]]
    text = newline.join(separator.join(f'"{cell}"' if " " in cell else cell for cell in row) for row in rows)
    frame = read_text_table(table(text + newline))
    assert frame.columns == ["name", "size", "kind"]
    assert frame.rows() == [("a, b; c", "1", "x"), ("d", "2", "y")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_byte_order_marks(table, encoding):
    frame = read_text_table(table("größe,klasse\n1,ä\n2,ö\n".encode(encoding)))
    assert frame.columns == ["größe", "klasse"] and frame["klasse"].to_list() == ["ä", "ö"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark(table, encoding):
    assert read_text_table(table("size,kind\n1,a\n2,b\n".encode(encoding))).columns == ["size", "kind"]


def test_windows_1252_is_read_and_told(table):
    remarks = []
    frame = read_text_table(table("größe;ort\n1;Köln\n2;“Zürich”\n".encode("cp1252")), remarks)
    assert frame.columns == ["größe", "ort"] and frame["ort"].to_list() == ["Köln", "“Zürich”"]
    assert "line 1 has the byte 0xF6" in remarks[0].message and "Windows-1252" in remarks[0].message


def test_quotes_with_line_breaks_and_blank_lines(table):
    frame = read_text_table(table('a,b\n\n"one\ntwo",1\n\n"say ""hi""",2\n\n'))
    assert frame.rows() == [("one\ntwo", "1"), ('say "hi"', "2")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"  \n\n", "is empty"),
        (b"a,b\n", "has a header and no rows"),
        (b"a,b\n1,2\n1,2,3\n1,2\n", "line 3 has 3 fields; expected 2"),
        (b"a,b,c\n1,2,3\n1,2\n1,2,3\n", "line 3 has 2 fields; expected 3"),
        (b"a,b\n1,2\n1,caf\x81\n", "line 3 has the byte 0x81"),
        (b"a,b\n1,2\n1,\x00\n", "line 3 has a NUL byte"),
        (b"a,a\n1,x\n2,y\n", "two columns called 'a'"),
        (b"a\n1\n2\n", "single column"),
        (b'a,b\n1,2\n"' + b"x" * 200_000 + b",3\n", "field larger than field limit"),
        (b"\xff\xfea", "not UTF-16"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(table, content, said):
    with pytest.raises(DataError) as caught:
        read_text_table(table(content))
    assert said in str(caught.value) and "table.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("first", "rows", "expected"),
    [
        (["age", "city"], [["1", "x"]], True),
        (["1", "x"], [["2", "y"]], False),
        (["p", "x"], [["p", "s"], ["e", "x"]], False),
        (["", "0", "1", "2"], [["0", "5", "6", "7"]], True),
        (["", "a"], [["0", "x"]], True),
        (["a", "a"], [["x", "y"]], False),
        (["a", "a"], [["x", "1"], ["y", ""]], True),
        (["yes", "no"], [["a", "b"]], True),
    ],
)
def test_headers_are_told_from_rows(first, rows, expected):
    assert looks_like_header(first, rows) is expected


def test_columns_without_a_header_get_numbers(table):
    frame = read_text_table(table("5.1,3.5,setosa\n4.9,3.0,virginica\n"))
    assert frame.columns == ["column_1", "column_2", "column_3"] and frame.height == 2


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(table, store):
    rows = "".join(f"{row * 0.5},{'ab'[row % 2]}\n" for row in range(40))
    path = table("x,y\n" + rows)
    first = load(DataSpec(name=str(path)), store)
    told: list[str] = []

    def listen(what: str, fraction: float | None) -> None:
        told.append(what)

    assert load(DataSpec(name=str(path)), store, listen).fingerprint == first.fingerprint
    path.touch()
    assert load(DataSpec(name=str(path)), store, listen).fingerprint == first.fingerprint
    assert told == []
    # The same size, written at once after reading: times alone would not tell.
    path.write_bytes(path.read_bytes().replace(b"1.5,b", b"1.7,b"))
    changed = load(DataSpec(name=str(path)), store, listen)
    assert changed.fingerprint != first.fingerprint and told


def test_the_spec_of_a_loaded_file_has_its_absolute_path(table, store, monkeypatch):
    path = table("x,y\n" + "".join(f"{row * 0.5},{'ab'[row % 2]}\n" for row in range(40)), "flowers.csv")
    monkeypatch.chdir(path.parent)
    flowers = load(DataSpec(name="flowers.csv"), store)
    assert flowers.spec.name == str(path.resolve()) and flowers.name == "flowers"


def test_mutated_tables_are_read_or_named(table, store):
    draw = np.random.default_rng(0)
    rows = [f'{row},{row * 0.5},{"abc"[row % 3]} x,"q{row % 7}",{"yes" if row % 2 else "no"}' for row in range(60)]
    whole = "\n".join(["n,size,kind,quoted,label", *rows]).encode()
    alphabet = b'0123456789,;"\n\r\t abc\xe9\x00.-+eN'
    num_read = 0
    for trial in range(150):
        broken = bytearray(whole)
        for place in draw.integers(0, len(broken), 1 + trial % 4):
            broken[place] = alphabet[draw.integers(0, len(alphabet))]
        path = table(bytes(broken[: draw.integers(1, len(broken))] if trial % 5 == 0 else broken), f"t{trial}.csv")
        try:
            dataset = load(DataSpec(name=str(path)), store)
        except LeptonError as error:
            assert "\n" not in str(error)
        else:
            num_read += 1
            assert np.isfinite(dataset.preparation.apply(dataset.splits["train"].inputs)).all()
    assert 20 < num_read < 150
