"""A display in a cell that follows a record on disk until the work behind it has ended."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable
from typing import Any

Bundle = dict[str, Any]
_LOOK_SECONDS = 0.4
_numbers = itertools.count(1)


def display_following(name: str, look: Callable[[], tuple[Bundle, bool]]) -> None:
    """Shows a bundle in the cell that runs, and replaces it whenever it has changed, until the work has ended.

    Args:
        name: Of the work, for the display and the thread.
        look: Gives the bundle as it is now, and whether the work goes on.
    """
    from IPython.display import display

    mark = f"lepton-{name}-{os.getpid()}-{next(_numbers)}"
    shown, goes_on = look()
    display(shown, raw=True, display_id=mark)
    if goes_on:
        threading.Thread(target=_follow, args=(look, mark, shown), name=f"lepton-{name}", daemon=True).start()


def _follow(look: Callable[[], tuple[Bundle, bool]], mark: str, shown: Bundle) -> None:
    from IPython.display import update_display

    goes_on = True
    while goes_on:
        time.sleep(_LOOK_SECONDS)
        now, goes_on = look()
        if now != shown:
            update_display(now, raw=True, display_id=mark)
            shown = now
