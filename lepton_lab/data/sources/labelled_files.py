"""Files with a label each: from the folder they lie in, from their names, or from a table beside them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lepton_lab.data import fingerprint
from lepton_lab.data.labels import check_class_count
from lepton_lab.data.material import Remark
from lepton_lab.data.scan import Scan
from lepton_lab.data.sources.layout import listed_parts, part_lists, wrapping
from lepton_lab.data.storage import HasRoot
from lepton_lab.errors import DataError, SpecError, UnknownName
from lepton_lab.specs import DataSpec

PARTS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""Names of folders, and values of a table's column `split`, that stand for a part."""

FILE_COLUMNS = ("file", "filename", "file_name", "path", "image", "audio", "name")
LABEL_COLUMNS = ("label", "class", "target", "category")
SPLIT_COLUMNS = ("split", "part", "set", "subset")
_CONDITION = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_ ]*?)\s*(<=|>=|!=|==|=|<|>)\s*(.+?)\s*")


@dataclass(frozen=True)
class Labelled:
    """A file and what is known about it.

    Attributes:
        path: Where it is.
        label: Its class.
        part: "train", "validation" or "test" where the source says so.
        fields: Further fields of its name or columns of its table.
    """

    path: Path
    label: str
    part: str | None = None
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Listing:
    """All labelled files of a folder, in a stable order.

    Attributes:
        root: The folder.
        files: The files.
        table: The table that the labels come from, where they do.
        lists: The files that name the validation and the test part, where the makers give such.
        remarks: What was left out, and why.
    """

    root: Path
    files: list[Labelled]
    table: Path | None = None
    lists: list[Path] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    @property
    def sources(self) -> list[Path]:
        """Every file that the dataset depends on."""
        return [file.path for file in self.files] + ([self.table] if self.table else []) + self.lists

    def classes(self) -> tuple[list[str], np.ndarray]:
        """Class names in their natural order, and the class number of each file (N,)."""
        names = sorted({file.label for file in self.files}, key=natural)
        check_class_count(len(names), len(self.files), f"The folder {str(self.root)!r}")
        number = {name: place for place, name in enumerate(names)}
        return names, np.array([number[file.label] for file in self.files], dtype=np.int64)

    def official(self) -> dict[str, np.ndarray]:
        """Row numbers of the parts that the source has of its own."""
        parts = np.array([file.part or "" for file in self.files])
        return {part: np.flatnonzero(parts == part) for part in np.unique(parts).tolist() if part}

    def groups(self, roles: dict[str, str]) -> np.ndarray | None:
        """Group numbers (N,) by the field that has the role `group`, where one has."""
        name = next((field for field, role in roles.items() if role == "group"), None)
        if name is None:
            return None
        values = [self._value(file, name) for file in self.files]
        return np.unique(np.array(values), return_inverse=True)[1].astype(np.int64)

    def _value(self, file: Labelled, name: str) -> str:
        fields = {"label": file.label, **file.fields}
        if name not in fields:
            raise UnknownName("field of the file names", name, fields)
        return fields[name]


def identify(store: HasRoot, scan: Scan, listing: Callable[[], Listing], spec: DataSpec) -> str:
    """What changes exactly when the files of a folder do, or the table that labels them."""
    options = (spec.pattern, spec.label_table)
    if spec.label_table and Path(spec.label_table).expanduser().is_absolute():
        table = listing().table
        files = [file for file in listing().sources if file != table]
        beside = fingerprint.of_files(store, table.parent, [table]) if table else ""
        return fingerprint.of_folder(store, scan, lambda: files, *options) + beside
    return fingerprint.of_folder(store, scan, lambda: listing().sources, *options)


def list_labelled(scan: Scan, suffixes: frozenset[str], spec: DataSpec, noun: str) -> Listing:
    """Finds the files of some kinds below a folder, with their labels.

    Labels come from `spec.pattern` (fields of the file names) if it is given, from `spec.label_table` if it is, else
    from a folder per class (below folders called train, validation and test, where the outermost ones are), else from
    a CSV file in the folder itself with a column of file names.

    Args:
        scan: The folder, as it was looked at.
        suffixes: Endings of the files, in small letters with a dot.
        spec: Uses `pattern`, `label_table` and `test_where`.
        noun: What the files are, in the plural ("pictures").

    Raises:
        DataError: When nothing is found, or names a file or a row of the table that is wrong.
        SpecError: When the pattern or the condition cannot be used.
    """
    root = scan.root
    files = [Path(f"{root}/{name}") for name in sorted(scan.names)]
    wanted = [file for file in files if file.suffix.lower() in suffixes]
    if not wanted:
        raise DataError(f"{str(root)!r} has no {noun}; expected files that end in {', '.join(sorted(suffixes))}.")
    table = _table_path(root, spec, files)
    if spec.pattern:
        found = _by_pattern(root, wanted, spec.pattern)
    elif table is not None and (spec.label_table or not any(_by_folder(root, wanted))):
        found = _by_table(root, wanted, table)
    else:
        table, found = None, list(_by_folder(root, wanted))
    if not found:
        raise DataError(
            f"The {len(wanted):,} {noun} in {str(root)!r} have no label; expected a folder per class, or set pattern "
            '(fields of the file names, such as "{label}_{speaker}_{index}") or label_table (a CSV file).'
        )
    lists = part_lists(files)
    if lists:
        parts = listed_parts(lists, [file.path for file in found])
        found = [Labelled(file.path, file.label, parts[file.path], file.fields) for file in found]
    found = _with_test(found, spec.test_where)
    listing = Listing(root, found, table, lists)
    used = set(listing.sources)
    listing.remarks.extend(_left_out(root, [file for file in files if file not in used], suffixes, noun))
    return listing


def _by_folder(root: Path, files: list[Path]) -> Iterator[Labelled]:
    """The files that lie in class folders, in the order of the folders."""
    root = wrapping(root, files)
    tops = {top.name.lower() for top in folders(root)}
    has_parts = bool(tops) and tops <= set(PARTS) and bool(tops & {"train", "training"})
    depth = len(root.parts)
    for file in files:
        inside = file.parts[depth:-1]
        if len(inside) > has_parts:
            part = PARTS[inside[0].lower()] if has_parts else None
            yield Labelled(file, inside[1] if has_parts else inside[0], part)


def _by_pattern(root: Path, files: list[Path], pattern: str) -> list[Labelled]:
    expression = _compiled(pattern)
    found, strange = [], []
    for file in files:
        place = file.relative_to(root).with_suffix("").as_posix()
        match = expression.fullmatch(place if "/" in pattern else file.stem)
        if match is None:
            strange.append(file)
            continue
        fields = match.groupdict()
        found.append(Labelled(file, fields.pop("label"), None, fields))
    if strange:
        more = f" ({len(strange):,} files do not)" if len(strange) > 1 else ""
        raise DataError(
            f"{strange[0].relative_to(root).as_posix()!r} in {str(root)!r} does not have the form {pattern!r}{more}; "
            "change the pattern, or rename the files."
        )
    return found


def _compiled(pattern: str) -> re.Pattern[str]:
    """A pattern such as "{label}_{speaker}_{index}" as an expression; a field holds no separator that follows it."""
    parts = re.split(r"\{([A-Za-z_][A-Za-z0-9_]*)\}", pattern)
    names = parts[1::2]
    if "label" not in names or len(set(names)) != len(names):
        raise SpecError(
            f"data: pattern is {pattern!r}; expected each field once in braces, and one of them {{label}}, "
            'such as "{label}_{speaker}_{index}".'
        )
    text = "".join(f"(?P<{part}>[^/]+?)" if place % 2 else re.escape(part) for place, part in enumerate(parts))
    return re.compile(text)


def _table_path(root: Path, spec: DataSpec, files: list[Path]) -> Path | None:
    if spec.pattern:
        return None
    if spec.label_table:
        asked = Path(spec.label_table).expanduser()
        path = asked if asked.is_absolute() else root / asked
        if not path.is_file():
            raise DataError(
                f"There is no table {str(path)!r}; label_table is a CSV file, in the folder or with its path."
            )
        return path.resolve()
    own = [file for file in files if file.parent == root and file.suffix.lower() in (".csv", ".tsv")]
    return own[0] if len(own) == 1 else None


def _by_table(root: Path, files: list[Path], table: Path) -> list[Labelled]:
    from lepton_lab.data.table_text import read_text_table

    frame = read_text_table(table)
    by_small = {name.strip().lower(): name for name in reversed(frame.columns)}
    chosen = {
        what: next((by_small[name] for name in names if name in by_small), None)
        for what, names in (("file", FILE_COLUMNS), ("label", LABEL_COLUMNS), ("split", SPLIT_COLUMNS))
    }
    if chosen["file"] is None or chosen["label"] is None:
        raise DataError(
            f"{str(table)!r} has the columns {', '.join(frame.columns[:8])}; expected one called "
            f"{' or '.join(FILE_COLUMNS[:3])} and one called {' or '.join(LABEL_COLUMNS[:3])}."
        )
    known = {file.relative_to(root).as_posix(): file for file in files}
    known |= {file.name: file for file in files if file.name not in known}
    known |= {file.stem: file for file in files if file.stem not in known}
    found: list[Labelled] = []
    for row, values in enumerate(frame.iter_rows(named=True)):
        name = str(values[chosen["file"]] or "").strip()
        path = known.get(name.removeprefix("./"))
        if path is None:
            raise DataError(f"{str(table)!r}, row {row + 1}: there is no file {name!r} in {str(root)!r}.")
        label = values[chosen["label"]]
        if label is None or not str(label).strip():
            raise DataError(f"{str(table)!r}, row {row + 1}: {name!r} has no label.")
        part = str(values[chosen["split"]] or "").strip().lower() if chosen["split"] else ""
        fields = {key: str(value) for key, value in values.items() if key not in chosen.values()}
        found.append(Labelled(path, str(label).strip(), PARTS.get(part), fields))
    return found


def _with_test(found: list[Labelled], condition: str | None) -> list[Labelled]:
    """The files with the test part that a condition such as "speaker=theo" or "index<5" names."""
    if condition is None:
        return found
    match = _CONDITION.fullmatch(condition)
    if match is None:
        raise SpecError(f'data: test_where is {condition!r}; expected a field and a value, such as "speaker=theo".')
    name, sign, value = match.groups()
    parted = []
    for file in found:
        fields = {"label": file.label, **file.fields}
        if name not in fields:
            raise UnknownName("field of the file names", name, fields)
        in_test = _holds(fields[name], sign, value, file.path)
        part = "test" if in_test else ("train" if file.part in (None, "test") else file.part)
        parted.append(Labelled(file.path, file.label, part, file.fields))
    if not any(file.part == "test" for file in parted):
        seen = sorted({{"label": file.label, **file.fields}[name] for file in found}, key=natural)
        raise SpecError(f"data: no file has {condition!r}; {name} is one of {', '.join(seen[:12])}.")
    return parted


def _holds(given: str, sign: str, value: str, path: Path) -> bool:
    if sign in ("=", "=="):
        return given == value
    if sign == "!=":
        return given != value
    try:
        left, right = float(given), float(value)
    except ValueError:
        raise SpecError(
            f"data: test_where compares {given!r} of {path.name!r} with {value!r}; expected numbers."
        ) from None
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[sign]


def _left_out(root: Path, others: list[Path], suffixes: frozenset[str], noun: str) -> Iterator[Remark]:
    """Files without a label, and files of other kinds: said, never dropped in silence."""
    unlabelled = [file for file in others if file.suffix.lower() in suffixes]
    plain = [file for file in others if file.suffix.lower() not in suffixes]
    if unlabelled:
        message = f"{len(unlabelled):,} {noun} have no label and were left out: {some_names(root, unlabelled)}."
        yield Remark(f"{noun}_left_out", "warning", message)
    if plain:
        message = f"{len(plain):,} files are no {noun} by their name and were left out: {some_names(root, plain)}."
        yield Remark("files_left_out", "note", message)


def some_names(root: Path, files: Iterable[Path]) -> str:
    """The first files' names as an error or a remark quotes them."""
    listed = list(files)
    names = ", ".join(repr(file.relative_to(root).as_posix()) for file in listed[:3])
    return names + (" and others" if len(listed) > 3 else "")


def broken_files(root: Path, broken: list[tuple[Path, str]], noun: str) -> DataError:
    """The error for files that cannot be read: names the first, and says how many there are."""
    path, reason = broken[0]
    more = f" {len(broken) - 1:,} more {noun} are broken." if len(broken) > 1 else ""
    name = path.relative_to(root).as_posix()
    return DataError(f"{name!r} in {str(root)!r}: {reason.rstrip('.')}. Replace or remove it.{more}")


def folders(path: Path) -> list[Path]:
    """The folders in a folder, without hidden ones."""
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def walk(path: Path) -> list[Path]:
    """All files below a folder, without hidden ones; links to folders are not followed, they could form a ring."""
    found: list[Path] = []
    for place, below, files in os.walk(path):
        below[:] = sorted(name for name in below if not name.startswith("."))
        found.extend(Path(place, name) for name in sorted(files) if not name.startswith("."))
    return [file for file in found if file.is_file()]


def natural(label: str) -> tuple[int, int, str]:
    """Whole numbers in numeric order, before texts."""
    return (0, int(label), label) if label.isascii() and label.isdigit() else (1, 0, label)
