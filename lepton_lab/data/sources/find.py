"""Which source a `DataSpec` means: a notebook's data, a named dataset, a file or a folder."""

from __future__ import annotations

import os
from pathlib import Path

from lepton_lab.data.archives import archive_of
from lepton_lab.data.registry import DatasetInfo, find_info, known_names
from lepton_lab.data.sources.base import Source, is_address, is_idx
from lepton_lab.data.storage import HasRoot
from lepton_lab.errors import DataError, UnknownName
from lepton_lab.specs import DataSpec

ARRAY_SUFFIXES = (".npz", ".npy")
TABLE_SUFFIXES = (
    *(".csv", ".tsv", ".tab", ".txt", ".data", ".dat"),
    *(".parquet", ".pq", ".arrow", ".feather", ".ipc", ".jsonl", ".ndjson", ".json"),
)

RATINGS = ("ratings.csv", "ratings.dat", "u.data")
"""What the MovieLens family calls its table of ratings; the files beside it describe users and items."""


def find_source(spec: DataSpec, store: HasRoot) -> Source:
    """The source that a spec means.

    Raises:
        UnknownName: When no dataset has that name and it does not look like a path.
        DataError: When a path does not exist or is of a kind that cannot be read.
    """
    if spec.fingerprint is not None:
        from lepton_lab.data.sources.notebook import NotebookSource

        return NotebookSource(spec, store)
    if (info := find_info(spec.name)) is not None:
        return _named(spec, info)
    if is_address(spec.name):
        from lepton_lab.data.sources.remote import RemoteFiles

        return RemoteFiles(spec)
    path = Path(spec.name).expanduser()
    if (packed := archive_of(path)) is not None:
        return _from_archive(spec, *packed)
    if path.exists():
        return _from_path(spec, path.resolve())
    if os.sep in spec.name or "/" in spec.name or path.suffix.lower() in (*TABLE_SUFFIXES, *ARRAY_SUFFIXES, ".ts"):
        raise DataError(
            f"There is no file or folder {str(path)!r} (looked in {str(Path.cwd())!r}); check the path, "
            f"or name a dataset: {', '.join(known_names())}."
        )
    raise UnknownName("dataset", spec.name, known_names())


def _named(spec: DataSpec, info: DatasetInfo) -> Source:
    if info.make is not None:
        from lepton_lab.data.sources.plugin import PluginData

        return PluginData(spec, info)
    if info.offline:
        from lepton_lab.data.sources.embedded import Digits, EmbeddedTable

        return Digits(spec, info.title) if info.name == "digits" else EmbeddedTable(spec, info)
    from lepton_lab.data.sources.named import FORMS

    if spec.mirror and "://" not in spec.mirror:
        # The worker may start in another folder than the notebook.
        spec = spec.changed(mirror=str(Path(spec.mirror).expanduser().resolve()))
    return FORMS[info.form](spec, info)


def _from_path(spec: DataSpec, path: Path) -> Source:
    spec = spec.changed(name=str(path))
    if path.is_dir():
        from lepton_lab.data.scan import Scan
        from lepton_lab.data.sources.folder import PictureFolder
        from lepton_lab.data.sources.folders import source_of_folder

        return source_of_folder(spec, path) or _of_tables_or_texts(spec, path) or PictureFolder(spec, Scan(path))
    if path.name.lower().endswith((".ts", ".ts.gz")):
        from lepton_lab.data.sources.ts_file import TsFile

        return TsFile(spec, path)
    if path.suffix.lower() in ARRAY_SUFFIXES or is_idx(path):
        from lepton_lab.data.sources.array_file import ArrayFile

        return ArrayFile(spec, path)
    if path.suffix.lower() in TABLE_SUFFIXES:
        return _from_file(spec, path)
    raise DataError(
        f"{str(path)!r} is neither a table ({', '.join(TABLE_SUFFIXES)}), arrays (.npz, .npy, IDX), series (.ts), an "
        "archive (.zip, .tar, ...), nor a folder of pictures, sounds or texts; "
        "load it in the notebook and give its arrays or data frame instead."
    )


def _from_archive(spec: DataSpec, archive: Path, inside: str) -> Source:
    from lepton_lab.data.sources.unpacked import ArchiveFile

    return ArchiveFile(spec.changed(name=str(archive / inside) if inside else str(archive)), archive, inside)


def _from_file(spec: DataSpec, path: Path) -> Source:
    """The source for a table, or for a text without columns."""
    from lepton_lab.data.sources.table_file import TableFile
    from lepton_lab.data.sources.texts import Corpus, is_prose

    if spec.task == "language" or (path.suffix.lower() == ".txt" and is_prose(path)):
        return Corpus(spec, [path], path.name)
    return TableFile(spec, path)


def says_nothing(file: Path) -> bool:
    """Whether a file only accompanies data: a README, a licence, a hidden file."""
    return file.name.lower().startswith((".", "readme", "licen", "copying", "citation"))


def _of_tables_or_texts(spec: DataSpec, path: Path) -> Source | None:
    """The source for a folder of tables by part, of texts by class, of corpora by part, or of a ratings file."""
    from lepton_lab.data.sources.table_file import TableFolder, part_files
    from lepton_lab.data.sources.texts import Corpus, TextFolder, is_prose, is_text_folder

    try:
        files = part_files(path)
        if files and all(file.suffix.lower() == ".txt" and is_prose(file) for file, _ in files):
            return Corpus(spec, [file for file, _ in files], path.name, [part for _, part in files])
        if files:
            return TableFolder(spec, path)
        if is_text_folder(path):
            return TextFolder(spec, path)
        held = [file for file in sorted(path.iterdir()) if not says_nothing(file)]
        ratings = [file for file in held if file.name in RATINGS]
        tables = [file for file in held if file.is_file() and file.suffix.lower() in TABLE_SUFFIXES]
        if len(held) == 1 and held[0].is_dir():
            return _of_tables_or_texts(spec, held[0])
        if ratings or len(tables) == len(held) == 1:
            return _from_file(spec, (ratings or tables)[0])
        if len(tables) > 1:
            named = ", ".join(repr(file.name) for file in tables[:5]) + (", ..." if len(tables) > 5 else "")
            raise DataError(
                f"{str(path)!r} holds {len(tables)} tables ({named}) and nothing says which part each is; name one of "
                "them, or call them train and test."
            )
        return None
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror}.") from None
