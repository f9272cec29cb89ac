"""The deployable bundle: a folder of data that is verified byte by byte and never runs code.

`load` reads each file once, without following links, checks its SHA-256, and hands on those very bytes, so that
what was verified is what is used. `manifest` owns `bundle.json`, `onnx_guard` what a model may not do.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from lepton_lab.data.preparation import Preparation
from lepton_lab.data.targets import Target
from lepton_lab.errors import LeptonError, ServingError
from lepton_lab.serving.folders import publish_folder
from lepton_lab.serving.manifest import EXAMPLE_FILES, MANIFEST_FILE, MODEL_FILE, PACKED_FILE, FileEntry, Manifest
from lepton_lab.serving.onnx_guard import check_model
from lepton_lab.serving.packed import unpack

MAX_MANIFEST_BYTES = 32 * 2**20
MAX_FILE_BYTES = 2 * 2**30


@dataclass(frozen=True)
class Bundle:
    """A verified bundle in memory.

    Attributes:
        manifest: What it says about itself.
        files: The verified files, as they lie on disk.
        preparation: What turns raw input into the network's.
        model: The ONNX model; unpacked where the bundle holds it packed.
    """

    manifest: Manifest
    files: dict[str, bytes]
    preparation: Preparation
    model: bytes

    @property
    def target(self) -> Target:
        """Reads a network's numbers back into the source's units."""
        return Target.from_dict(self.manifest.target) if self.manifest.target else Target(self.manifest.task)

    @property
    def sha256(self) -> str:
        """The bundle's address: two bundles with the same address are the same."""
        return self.manifest.sha256

    @property
    def num_bytes(self) -> int:
        """What the bundle takes on disk, its record included."""
        return sum(map(len, self.files.values())) + len(self.manifest.to_json())

    @property
    def example(self) -> tuple[bytes, str] | None:
        """A real file to try and its media type, where the bundle has one."""
        return next(((self.files[name], kind) for name, kind in EXAMPLE_FILES.items() if name in self.files), None)

    def copy_to(self, folder: Path) -> None:
        """Writes the verified bytes as a folder of their own, whole or not at all."""
        publish_folder(folder, {**self.files, MANIFEST_FILE: self.manifest.to_json()})


def load(folder: Path) -> Bundle:
    """Reads a bundle and verifies it.

    Args:
        folder: The bundle's folder, as `export_bundle` wrote it.

    Raises:
        ServingError: If a file is missing, unlisted, a link, changed since the export, or not allowed.
    """
    folder = Path(folder)
    if folder.is_symlink() or not folder.is_dir():
        raise ServingError(f"There is no bundle in {folder}; expected a folder with {MANIFEST_FILE} and {MODEL_FILE}.")
    manifest = Manifest.from_json(_read_plain(folder, MANIFEST_FILE, MAX_MANIFEST_BYTES))
    unlisted = sorted({entry.name for entry in folder.iterdir()} - {*manifest.files, MANIFEST_FILE})
    if unlisted:
        raise ServingError(f"{folder} holds {unlisted[0]!r}, which its bundle.json does not list; remove it.")
    files = {name: _read_verified(folder, name, entry) for name, entry in manifest.files.items()}
    return Bundle(manifest, files, _preparation(manifest), _model(files))


def verified(manifest: bytes, files: dict[str, bytes]) -> Bundle:
    """A bundle that came as bytes, from another host for example.

    Args:
        manifest: `bundle.json`.
        files: Content by file name.

    Raises:
        ServingError: If a file is missing, unlisted, or not what the manifest says.
    """
    listed = Manifest.from_json(manifest)
    if set(files) != set(listed.files):
        raise ServingError(f"The bundle lists {sorted(listed.files)} and came with {sorted(files)}; send it again.")
    for name, entry in listed.files.items():
        if _sha256(files[name]) != entry.sha256:
            raise ServingError(f"{name} is not what the bundle says (its SHA-256 is another); send it again.")
    return Bundle(listed, dict(files), _preparation(listed), _model(files))


def write(folder: Path, manifest: Manifest, files: dict[str, bytes]) -> Bundle:
    """Seals a manifest over its files and publishes the folder.

    Args:
        folder: Where the bundle will stand; one that is there is replaced.
        manifest: What the bundle says about itself; `files` and `sha256` are filled in here.
        files: Content by file name, without `bundle.json`.
    """
    listed = {name: FileEntry(sha256=_sha256(content), bytes=len(content)) for name, content in files.items()}
    sealed = manifest.model_copy(update={"files": listed}).sealed()
    bundle = Bundle(sealed, dict(files), _preparation(sealed), _model(files))
    bundle.copy_to(folder)
    return bundle


def _model(files: dict[str, bytes]) -> bytes:
    """The checked ONNX model of a bundle's files."""
    model = files[MODEL_FILE] if MODEL_FILE in files else unpack(files[PACKED_FILE])
    check_model(model)
    return model


def _read_verified(folder: Path, name: str, entry: FileEntry) -> bytes:
    """One listed file, if it is what the manifest says."""
    content = _read_plain(folder, name, min(entry.bytes, MAX_FILE_BYTES))
    if len(content) != entry.bytes or _sha256(content) != entry.sha256:
        raise ServingError(f"{folder / name} was changed after the export (its SHA-256 is another). Export it again.")
    return content


def _read_plain(folder: Path, name: str, limit_bytes: int) -> bytes:
    """A regular file's content; links, devices and files larger than the limit are refused."""
    path = folder / name
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ServingError(f"{path} is missing; export the bundle again.") from None
    except OSError:
        raise ServingError(f"{path} cannot be read as a plain file; a bundle may not hold links.") from None
    with os.fdopen(descriptor, "rb") as file:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise ServingError(f"{path} is not a plain file.")
        if state.st_size > limit_bytes:
            raise ServingError(f"{path} has {state.st_size:,} bytes; expected {limit_bytes:,}. Export it again.")
        return file.read(limit_bytes + 1)


def _preparation(manifest: Manifest) -> Preparation:
    """The preparation that the manifest describes; plain values in, plain numpy out."""
    try:
        return Preparation.from_dict(manifest.preparation)
    except LeptonError as error:
        raise ServingError(f"bundle.json: preparation: {error}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise ServingError(f"bundle.json: preparation cannot be read ({error!r}); export the bundle again.") from None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
