"""`bundle.json`: what a bundle says about itself, and the address that follows from its content."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lepton_lab.errors import ServingError
from lepton_lab.specs import TASKS

FORMAT = 1
MANIFEST_FILE = "bundle.json"
MODEL_FILE = "model.onnx"
PACKED_FILE = "model.packed"
EXAMPLE_FILE = "example.png"
EXAMPLE_SOUND = "example.wav"
EXAMPLE_FILES = {EXAMPLE_FILE: "image/png", EXAMPLE_SOUND: "audio/wav"}
"""Files of a real row to try, with their media types."""

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_VOLATILE = ("sha256", "created", "export_seconds")
_LATER = ("compression", "lengths", "target", "reference")
"""Fields that came after the first release: left out of the address while empty, so that older bundles keep theirs."""


class _Strict(BaseModel):
    """Immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TensorSignature(_Strict):
    """Name, datatype (Open Inference Protocol) and shape of a tensor; -1 is the batch, or steps of any number."""

    name: str = Field(min_length=1, max_length=64)
    datatype: Literal["FP32", "INT64"] = "FP32"
    shape: tuple[int, ...] = Field(min_length=1, max_length=8)

    @model_validator(mode="after")
    def _batch_comes_first(self) -> Self:
        if self.shape[0] != -1 or any(size < 1 and size != -1 for size in self.shape[1:]):
            raise ValueError(f"shape is {list(self.shape)}; expected [-1, ...] with positive sizes, or -1 for any.")
        return self


class FileEntry(_Strict):
    """One file of the bundle."""

    sha256: Hash
    bytes: int = Field(ge=0)


class Verification(_Strict):
    """How the exported model compared with the trained one on real samples."""

    num_samples: int = Field(ge=0)
    largest_difference: float = Field(
        ge=0, description="Largest difference of any answer, relative to it where it is above 1"
    )
    agreement_fraction: float = Field(ge=0, le=1, description="Share of samples with the same predicted class")


class Manifest(_Strict):
    """The content of `bundle.json`."""

    format: Literal[1] = 1
    name: str
    run_id: str
    dataset: str = ""
    model: str = ""
    task: str = "classification"
    modality: str
    input: TensorSignature
    lengths: TensorSignature | None = None
    output: TensorSignature
    preparation: dict[str, Any]
    target: dict[str, Any] | None = None
    classes: tuple[str, ...] = Field(max_length=1_000_000)
    metrics: dict[str, Any] = {}
    example: dict[str, Any] | None = None
    opset: int = 0
    exporter: str = ""
    export_seconds: float = 0.0
    verification: Verification | None = None
    compression: dict[str, Any] | None = None
    reference: dict[str, Any] | None = None
    versions: dict[str, str] = {}
    created: float = 0.0
    files: dict[FileName, FileEntry]
    sha256: Hash = "0" * 64

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (MODEL_FILE in self.files) == (PACKED_FILE in self.files):
            raise ValueError(f"files has neither {MODEL_FILE} nor {PACKED_FILE}, or both.")
        if self.task not in TASKS:
            raise ValueError(f"task is {self.task!r}; expected one of {', '.join(TASKS)}.")
        if self.task in ("classification", "multilabel") and self.output.shape != (-1, len(self.classes)):
            raise ValueError(
                f"output.shape is {list(self.output.shape)}; expected [-1, {len(self.classes)}] (classes)."
            )
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("two classes have the same name.")
        return self

    @property
    def inputs(self) -> tuple[TensorSignature, ...]:
        """What the network is called with: rows, and their lengths where they have any."""
        return (self.input,) if self.lengths is None else (self.input, self.lengths)

    def address(self) -> str:
        """SHA-256 of everything that makes the bundle what it is; times do not count."""
        dumped = self.model_dump(mode="json")
        left_out = {*_VOLATILE, *(key for key in _LATER if dumped[key] is None)}
        kept = {key: value for key, value in dumped.items() if key not in left_out}
        return hashlib.sha256(json.dumps(kept, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def sealed(self) -> Manifest:
        """A copy that carries its own address."""
        return self.model_copy(update={"sha256": self.address()})

    def to_json(self) -> bytes:
        """The file's content."""
        values = self.model_dump(mode="json")
        if self.compression is not None:  # every byte counts there
            return json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()
        return (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_json(cls, content: bytes) -> Manifest:
        """Reads and checks the file.

        Raises:
            ServingError: If it is no manifest, is of another format, or was changed after it was sealed.
        """
        try:
            values = json.loads(content)
        except (ValueError, RecursionError):
            raise ServingError("bundle.json is not JSON; export the bundle again.") from None
        found = values.get("format") if isinstance(values, dict) else None
        if found != FORMAT:
            raise ServingError(f"bundle.json has format {found!r}; this version of lepton_lab reads format {FORMAT}.")
        try:
            manifest = cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            raise ServingError(f"bundle.json: {where}: {first['msg']}. Export the bundle again.") from None
        if manifest.address() != manifest.sha256:
            raise ServingError("bundle.json was changed after the export (its SHA-256 is another). Export it again.")
        return manifest
