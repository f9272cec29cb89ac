"""From a table to something to train on: roles of the columns, the task, and the material that fits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lepton_lab.data.labels import MAX_CLASSES
from lepton_lab.data.material import Material, Remark
from lepton_lab.data.table_columns import WORDS_OF_A_TEXT, Column, num_words, read_column
from lepton_lab.data.table_labels import TARGET_NAMES, Labels, choose_targets, read_labels
from lepton_lab.data.table_material import TableMaterial
from lepton_lab.data.table_warnings import about, leaks
from lepton_lab.data.text_material import TextMaterial
from lepton_lab.data.text_preparation import joined
from lepton_lab.errors import DataError, UnknownName
from lepton_lab.specs import DataSpec

if TYPE_CHECKING:
    import polars as pl

_KINDS = ("number", "category", "date", "text")
_SPLIT_NAMES = frozenset({"split", "set", "subset", "part", "partition", "fold"})
_PARTS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "eval"), "test"),
}


class Table(Protocol):
    """A table whose columns are read when they are asked for; a polars frame is one."""

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""

    @property
    def height(self) -> int:
        """Rows."""

    def __getitem__(self, name: str) -> pl.Series:
        """A column."""


def part_name(text: str) -> str | None:
    """The split that a word such as "Dev" or "training" means; None when it means none."""
    return _PARTS.get(text.strip().lower())


def material_from_table(
    table: Table,
    spec: DataSpec,
    title: str,
    *,
    classes: Sequence[str] | None = None,
    parts: np.ndarray | None = None,
    remarks: Sequence[Remark] = (),
) -> Material:
    """Makes a table ready for training.

    Args:
        table: Columns of any plain type.
        spec: Target, task, roles, and what to do about missing values, duplicates and outliers.
        title: How to call the table in an error.
        classes: Names of the classes, where the target holds positions in that list.
        parts: The split that each row comes from (N,), texts, "" for none; None where the source has no parts.
        remarks: What was noticed while reading.

    Raises:
        DataError: Names the column and row that is wrong.
        UnknownName: When there is no column of a name that was given.
    """
    roles = spec.role_by_column()
    for name in roles:
        if name not in table.columns:
            raise UnknownName("column", name, table.columns)
    from lepton_lab.data.interactions import find_interactions, interactions_from_table

    if found := find_interactions(table, spec, roles):
        return interactions_from_table(table, spec, title, found, remarks)
    targets = _choose(table, spec, roles, title)
    labels = read_labels([table[name] for name in targets], spec.task, classes, title)
    if parts is None:
        parts = _read_parts(table, roles, targets)
    columns = [_read(table, name, roles) for name in table.columns if name not in targets]
    return _Builder(columns, tuple(targets), labels, spec, title, list(remarks), parts, table.height).build()


def _read(table: Table, name: str, roles: dict[str, str]) -> Column:
    role = roles.get(name)
    series = table[name]
    if role == "ignored":
        import polars as pl

        cells = series if not series.dtype.is_nested() else series.is_null().replace_strict({True: None}, default="")
        return Column(name, "ignored", cells.cast(pl.String, strict=False), reason="was to be left out")
    column = read_column(series, role if role in _KINDS else None)
    if role is not None and role not in _KINDS:
        column.role, column.remark, column.reason = role, None, f"is the {role}; it is not learnt from"
        column.kind = "category" if column.kind == "ignored" else column.kind
    return column


def _read_parts(table: Table, roles: dict[str, str], targets: Sequence[str]) -> np.ndarray | None:
    """The part of each row as a column says it: one with the role "split", or one that is plainly called so."""
    import polars as pl

    asked = next((name for name, role in roles.items() if role == "split"), None)
    candidates = (
        [asked] if asked else [n for n in table.columns if n.strip().lower() in _SPLIT_NAMES and n not in targets]
    )
    for name in candidates:
        if name in roles and roles[name] != "split":
            continue
        words = table[name].cast(pl.String).fill_null("")
        known = {word: part_name(word) for word in words.unique().to_list()}
        if all(known.values()) and "train" in known.values():
            roles[name] = "split"
            return np.array(words.replace_strict(known).to_list(), dtype=object)
        if asked:
            strange = next((word for word, part in known.items() if not part), "no 'train'")
            raise DataError(f"The column {name!r} is to say the split, but holds {strange!r}; expected train, "
                            "validation and test.")  # fmt: skip
    return None


class _Builder:
    """The steps from read columns to a material; holds what they share."""

    def __init__(
        self,
        columns: list[Column],
        targets: tuple[str, ...],
        labels: Labels,
        spec: DataSpec,
        title: str,
        remarks: list[Remark],
        parts: np.ndarray | None,
        num_rows: int,
    ) -> None:
        self.columns, self.targets, self.labels, self.spec, self.title = columns, targets, labels, spec, title
        self.remarks = [*remarks, *(remark for column in columns if (remark := about(column)))]
        self.parts, self.num_rows = parts, num_rows

    @property
    def _used(self) -> list[Column]:
        return [column for column in self.columns if column.kind != "ignored" and not column.role]

    def build(self) -> Material:
        texts = self._only_text()
        keep = self._kept()
        rows = self.labels.rows[keep]
        if not len(rows):
            raise DataError(f"{self.title} has no row with a label{' and all values' if self._drops else ''}.")
        for column in self.columns:
            column.cells = column.cells.gather(rows)
        common = {
            "classes": self.labels.classes,
            "labels": self.labels.values[keep],
            "row_ids": rows,
            "official": self._official(rows),
            "remarks": self.remarks,
            "task": self.labels.task,
            "groups": self._role_numbers("group"),
            "times": self._role_numbers("time"),
        }
        if texts is None:
            if not self._used:
                raise DataError(f"{self.title} has no column to learn from beside the target {self.targets[0]!r}.")
            self.remarks += leaks(self._used, self.targets, self.labels.task, common["labels"], self.labels.classes)
            table = TableMaterial(**common)
            table.columns, table.targets, table.missing = self.columns, self.targets, self.spec.missing
            table.task_reason = self.labels.reason
            return table
        cells = [column.cells.to_list() for column in texts]
        rows_of_cells = list(zip(*cells, strict=True))
        names = tuple(column.name for column in texts)
        details = {"task_reason": self.labels.reason, "target": self.targets[0], "targets": list(self.targets)}
        listed = TableMaterial([], common["labels"], rows, columns=self.columns, targets=self.targets).describe()
        return TextMaterial(
            **common,
            texts=[joined(row) for row in rows_of_cells],
            raw_texts=_as_json(names, rows_of_cells) if len(names) > 1 else None,
            fields=names,
            columns=listed["columns"],
            details=details,
        )

    @property
    def _drops(self) -> bool:
        return self.spec.missing == "drop"

    def _only_text(self) -> list[Column] | None:
        """The columns of texts where there is nothing else to learn from: then the words in order are learnt."""
        used = self._used
        if used:
            return used if all(column.kind == "text" for column in used) else None
        ignored = [column for column in self.columns if column.remark in ("id_column", "text_column")]
        texts = [column for column in ignored if not column.cells.dtype.is_numeric()]
        if len(texts) != 1:
            return None
        texts[0].kind, texts[0].reason, texts[0].remark = "text", None, None
        self.remarks = [one for one in self.remarks if not one.message.startswith(f"The column {texts[0].name!r} ")]
        return texts

    def _kept(self) -> np.ndarray:
        """Which of the labelled rows stay (M,), bool."""
        labels, keep = self.labels, np.ones(len(self.labels.rows), dtype=bool)
        if num_without := self.num_rows - len(labels.rows):
            names = " and ".join(repr(name) for name in self.targets)
            message = f"{num_without:,} rows have no value in the target {names} and were left out."
            self.remarks.append(Remark("missing_target", "warning", message))
        if self._drops:
            for column in self._used:
                keep &= column.cells.is_not_null().to_numpy()[labels.rows]
            if num_dropped := int((~keep).sum()):
                message = f"{num_dropped:,} of {len(keep):,} rows have missing values and were left out, as asked."
                self.remarks.append(Remark("rows_dropped", "note", message))
        if self.spec.duplicates == "drop":
            keep = self._different(keep)
        return keep

    def _different(self, keep: np.ndarray) -> np.ndarray:
        """The first of the rows that are the same in every used column and in the target."""
        import polars as pl

        rows = np.flatnonzero(keep)
        cells = [column.cells.gather(self.labels.rows[rows]).alias(f"c{n}") for n, column in enumerate(self._used)]
        values = self.labels.values.reshape(len(keep), -1)[rows]
        marks = [pl.Series(f"y{place}", values[:, place]) for place in range(values.shape[1])]
        first = pl.DataFrame([*cells, *marks]).select(pl.struct(pl.all()).is_first_distinct()).to_series().to_numpy()
        if num_same := int((~first).sum()):
            message = f"{num_same:,} of {len(rows):,} rows are the same as an earlier one and were left out, as asked."
            self.remarks.append(Remark("duplicates_dropped", "note", message))
        different = keep.copy()
        different[rows[~first]] = False
        return different

    def _official(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        if self.parts is None:
            return {}
        held = self.parts[rows]
        return {name: np.flatnonzero(held == name) for name in ("train", "validation", "test") if (held == name).any()}

    def _role_numbers(self, role: str) -> np.ndarray | None:
        """The column of a role as numbers: groups are numbered, times are compared."""
        import polars as pl

        column = next((column for column in self.columns if column.role == role), None)
        if column is None:
            return None
        if column.num_missing:
            raise DataError(
                f"The column {column.name!r} is the {role}, but {column.num_missing:,} rows have no value in it."
            )
        if role == "time" and column.cells.dtype != pl.Float64:
            raise DataError(f"The column {column.name!r} is the time, but holds neither numbers nor dates.")
        ranked = column.cells.rank("dense").cast(pl.Int64)
        numbers: np.ndarray = (column.cells if role == "time" else ranked).to_numpy()
        return numbers


def _as_json(names: Sequence[str], rows: Sequence[Sequence[str | None]]) -> list[str]:
    return [json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) for row in rows]


def _choose(table: Table, spec: DataSpec, roles: dict[str, str], title: str) -> list[str]:
    """The targets; where nothing names one and the last column is a text, the column with the fewest values."""
    import polars as pl

    targets = choose_targets(table.columns, spec.target, roles, title)
    is_named = spec.target is not None or "target" in roles.values() or targets[0] != table.columns[-1]
    if is_named or targets[0].strip().lower() in TARGET_NAMES or table[targets[0]].dtype != pl.String:
        return targets
    if num_words(table[targets[0]]) <= WORDS_OF_A_TEXT:
        return targets
    values = {name: table[name].n_unique() for name in table.columns[:-1] if name not in roles}
    few = [name for name, number in values.items() if 2 <= number <= min(MAX_CLASSES, max(2, table.height // 2))]
    return [min(few, key=lambda name: values[name])] if few else targets
