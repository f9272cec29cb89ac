"""Small objects that are told what happens in a run, without the loop knowing them.

A callback has a method for each event it wants, named after it: `on_epoch_ended(self, event)` is told of every
`EpochEnded`, with the event's fields as a dict. Which methods there are is looked up once, so a run without callbacks
pays nothing. A network of one's own may bring some in an attribute `callbacks`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from lepton_lab.training.progress import Events

PREFIX = "on_"


class Subscribed:
    """Events that are written, and told to callbacks.

    Args:
        events: Where they are written.
        callbacks: Whom they are told to, in this order; one that raises is told nothing more, and a warning says so.
    """

    def __init__(self, events: Events, callbacks: Iterable[object]) -> None:
        self._events = events
        self._listeners: dict[str, list[Callable[[dict[str, Any]], None]]] = {}
        for callback in callbacks:
            for name in dir(callback):
                if name.startswith(PREFIX) and callable(getattr(callback, name)):
                    self._listeners.setdefault(name, []).append(getattr(callback, name))

    def append(self, event_type: str, /, **fields: Any) -> int:
        """Writes one event, tells it, and returns its number."""
        number = self._events.append(event_type, **fields)
        listeners = self._listeners.get(method_name(event_type))
        if listeners:
            for listen in list(listeners):
                try:
                    listen({"type": event_type, **fields})
                except Exception as error:
                    listeners.remove(listen)
                    said = f"{getattr(listen, '__qualname__', 'A callback')} raised {type(error).__name__}: {error}"
                    self._events.append("WarningRaised", message=f"{said}. It is not called again in this run.")
        return number

    def flush(self) -> None:
        """Makes all that was written durable."""
        self._events.flush()


def method_name(event_type: str) -> str:
    """`EpochEnded` is heard by `on_epoch_ended`."""
    return PREFIX + re.sub(r"(?<!^)(?=[A-Z])", "_", event_type).lower()


def with_callbacks(events: Events, callbacks: Iterable[object]) -> Events:
    """The events as they are where nobody listens."""
    found = list(callbacks)
    return Subscribed(events, found) if found else events
