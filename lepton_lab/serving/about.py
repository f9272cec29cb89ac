"""What a bundle is and takes, in the words that the try-it page and other faces need."""

from __future__ import annotations

from typing import Any

from lepton_lab.data.table_preparation import TablePreparation
from lepton_lab.serving.bundle import Bundle
from lepton_lab.serving.requests import MAX_BODY_BYTES, MAX_ROWS

MAX_CHOICES = 200
MAX_CLASSES = 1000
SHOWN_FIELDS = {"task", "run_id", "dataset", "model", "modality", "metrics", "created"}


def describe(name: str, version: int, bundle: Bundle) -> dict[str, Any]:
    """The answer of `/info`.

    Args:
        name: The endpoint's name.
        version: The version that answers.
        bundle: Its bundle.
    """
    manifest = bundle.manifest
    return {
        "name": name,
        "version": version,
        **manifest.model_dump(mode="json", include=SHOWN_FIELDS),
        "classes": manifest.classes[:MAX_CLASSES],
        "columns": columns_of(bundle),
        "choices": choices_of(bundle),
        "example": {
            "row": manifest.example,
            "picture": manifest.modality == "image" and bundle.example is not None,
            "sound": manifest.modality == "audio" and bundle.example is not None,
        },
        "limits": {"max_body_bytes": MAX_BODY_BYTES, "max_rows": MAX_ROWS},
    }


def columns_of(bundle: Bundle) -> list[str]:
    """The columns of a table's rows, in their order; empty for pictures and sequences."""
    return [column.name for column in _columns(bundle)]


def choices_of(bundle: Bundle) -> dict[str, list[str]]:
    """The values that a table's category columns know, where they are few enough to choose from."""
    listed = {column.name: list(getattr(column, "values", ())) for column in _columns(bundle)}
    return {name: values for name, values in listed.items() if 0 < len(values) <= MAX_CHOICES}


def _columns(bundle: Bundle) -> tuple[Any, ...]:
    """A table's columns as the preparation has them."""
    return bundle.preparation.columns if isinstance(bundle.preparation, TablePreparation) else ()
