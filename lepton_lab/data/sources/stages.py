"""Public files that lack what a table needs, written anew with names of columns and classes."""

from __future__ import annotations

import csv
from pathlib import Path

from lepton_lab.data.registry import DatasetInfo
from lepton_lab.data.table_text import decode_text
from lepton_lab.errors import DataError

_ADULT = (
    *("age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation", "relationship"),
    *("race", "sex", "capital_gain", "capital_loss", "hours_per_week", "native_country", "income"),
)


def stage_adult(info: DatasetInfo, files: dict[str, Path], folder: Path) -> None:
    """adult.data and adult.test as train.csv and test.csv with a header, without comments and final full stops."""
    for name, part in (("adult.data", "train"), ("adult.test", "test")):
        lines = decode_text(files[name].read_bytes(), files[name]).splitlines()
        rows = [[cell.strip() for cell in line.rstrip(".").split(",")] for line in lines if line and line[0] != "|"]
        _write(folder / f"{part}.csv", _ADULT, rows, name)


def stage_ag_news(info: DatasetInfo, files: dict[str, Path], folder: Path) -> None:
    """The parts with a header, and topics by name instead of number."""
    topics = {str(number): name for number, name in enumerate(info.classes, start=1)}
    for part in ("train", "test"):
        path = files[f"{part}.csv"]
        text = decode_text(path.read_bytes(), path)
        rows = [[topics.get(row[0], row[0]), *row[1:]] for row in csv.reader(text.splitlines()) if row]
        _write(folder / f"{part}.csv", ("topic", "title", "description"), rows, path.name)


def _write(path: Path, header: tuple[str, ...], rows: list[list[str]], name: str) -> None:
    strange = next((number for number, row in enumerate(rows, start=1) if len(row) != len(header)), None)
    if strange is not None or not rows:
        where = f"row {strange:,} of {name!r}" if strange else repr(name)
        raise DataError(f"{where} has not the {len(header)} fields that this dataset has; get it again.")
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(header)
        writer.writerows(rows)
