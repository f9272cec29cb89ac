"""Who may ask an endpoint, and what they have asked for: keys, and usage by key."""

from __future__ import annotations

from pathlib import Path

from lepton_lab.errors import EndpointError, UnknownName
from lepton_lab.runs.endpoint_care import revoke_key
from lepton_lab.runs.endpoints import KeyRecord, edit_record, endpoint_names, load_record
from lepton_lab.runs.paths import Store
from lepton_lab.serving.keys import make_key
from lepton_lab.serving.usage import Usage, read_usage

__all__ = ["existing_folder", "new_key", "owner_key", "revoke_key", "usage_of"]


def existing_folder(store: Store, name: str) -> Path:
    """The folder of an endpoint that exists.

    Raises:
        UnknownName: If there is no such endpoint.
    """
    folder = store.endpoint_dir(name)
    if not (folder / "record.json").exists():
        raise UnknownName("endpoint", name, endpoint_names(store))
    return folder


def new_key(
    store: Store, name: str, *, expires: float | None = None, requests_per_minute: int | None = None
) -> tuple[KeyRecord, str]:
    """Another API key for an endpoint.

    Args:
        store: The run store.
        name: The endpoint.
        expires: Unix seconds after which it no longer works; `None` for never.
        requests_per_minute: How often it may ask; `None` for no limit.

    Returns:
        What is kept of it, and the key itself, shown this once.
    """
    kept, key = make_key(expires=expires, requests_per_minute=requests_per_minute)
    with edit_record(store, name) as record:
        record.keys.append(kept)
        record.note("key", record.active_version, f"{kept.id} made")
    return kept, key


def owner_key(store: Store, name: str) -> str:
    """The owner's own key, for faces on this machine.

    Raises:
        UnknownName: If there is no such endpoint.
        EndpointError: If the key's file is gone.
    """
    path = existing_folder(store, name) / "owner.key"
    try:
        return path.read_text("ascii").strip()
    except OSError:
        raise EndpointError(
            f"The owner's key of {name!r} is gone ({path.name}); make another with new_key({name!r})."
        ) from None


def usage_of(store: Store, name: str) -> dict[str, Usage]:
    """What each key of an endpoint has asked for, by key id; keys that were never used are listed, too."""
    totals = read_usage(existing_folder(store, name) / "usage.jsonl")
    return {key.id: totals.get(key.id, Usage()) for key in load_record(store, name).keys}
