"""Reading of an append-only file of JSON lines: the last line may be torn, any line may be broken."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

Event = dict[str, Any]


def epochs_of(event: Event) -> list[Event]:
    """The epochs that an `EpochEnded` tells of, in order; those before the last stand in its arrays."""
    earlier = event.get("earlier")
    if not earlier:
        return [event]
    count = min(len(values) for values in earlier.values())
    return [*({name: values[i] for name, values in earlier.items()} for i in range(count)), event]


class Lines(NamedTuple):
    """What was read of an events file."""

    events: list[Event]
    """The events in file order; a broken line stands as a `WarningRaised` with the `seq` of the one before it."""
    offset: int
    """Bytes of the file that were complete lines: where to read on."""


def read_lines(path: Path, offset: int = 0, last_seq: int = 0) -> Lines:
    """Reads the complete lines from an offset on; a missing file is an empty one.

    Raises:
        OSError: If the file is there and cannot be read.
    """
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == offset:
                return Lines([], offset)
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return Lines([], 0)
    end = data.rfind(b"\n") + 1
    return Lines(_parse(data[:end], last_seq), offset + end)


def each_line(path: Path) -> Iterator[Event]:
    """The events of a file, one after the other, as `read_lines` gives them all at once.

    Raises:
        OSError: If the file is there and cannot be read.
    """
    last_seq = 0
    try:
        with open(path, "rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    event = _event_or_warning(line, last_seq)
                    last_seq = max(last_seq, event["seq"])
                    yield event
    except FileNotFoundError:
        return


def _parse(data: bytes, last_seq: int) -> list[Event]:
    events: list[Event] = []
    for line in data.splitlines():
        event = _event_or_warning(line, last_seq)
        last_seq = max(last_seq, event["seq"])
        events.append(event)
    return events


def _event_or_warning(line: bytes, last_seq: int) -> Event:
    event = _event(line)
    if event is None:
        return {"seq": last_seq, "type": "WarningRaised", "message": "A line of the record is broken; skipped."}
    return event


def _event(line: bytes) -> Event | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_event = isinstance(event, dict) and type(event.get("seq")) is int and isinstance(event.get("type"), str)
    return event if is_event else None
