"""Waiting for something to become true, with a deadline and a sentence when it does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, timeout_seconds: float = 30.0, every_seconds: float = 0.05) -> T:
    """Asks until the answer is true, and returns it.

    Raises:
        AssertionError: If it never was; says what was waited for.
    """
    deadline = time.monotonic() + timeout_seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_seconds:g} s for {what}")
        time.sleep(every_seconds)
    return answer
