"""What the user has set for themselves in `config.toml`; nothing of it can be set by a request, a spec or a run."""

from __future__ import annotations

import os
import stat
import tomllib
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lepton_lab.errors import SpecError
from lepton_lab.runs.states import ENDED
from lepton_lab.words import config_path as config_path

_STATES = tuple(sorted(state.value for state in ENDED))
_DEFAULT = ("finished", "failed")


@dataclass(frozen=True)
class Notify:
    """What the user's configuration says."""

    on: tuple[str, ...] = _DEFAULT
    command: tuple[str, ...] = ()
    webhook: str | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether anything is to be done at all."""
        return bool(self.command or self.webhook)


def read_config(path: Path | None = None) -> Notify:
    """The user's wishes; none where there is no file.

    Raises:
        SpecError: If the file is not TOML, belongs to somebody else or may be written by others, or a value is wrong.
    """
    path = path or config_path()
    try:
        found = path.stat()
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Notify()
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path.name} cannot be read: {error}.") from error
    if found.st_uid not in (os.getuid(), 0) or stat.S_IMODE(found.st_mode) & 0o022:
        raise SpecError(f"{path.name} can be written by others, who could have commands run; chmod it to 600.")
    try:
        values = tomllib.loads(text).get("notify", {})
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{path.name} is not TOML: {error}.") from error
    return _checked(values)


def _checked(values: Any) -> Notify:
    if not isinstance(values, dict) or set(values) - {"on", "command", "webhook"}:
        raise SpecError(f"[notify] is {values!r}; it can have on, command and webhook.")
    on, command, webhook = values.get("on", list(_DEFAULT)), values.get("command", []), values.get("webhook")
    if not isinstance(on, list) or not set(on) <= set(_STATES):
        raise SpecError(f"notify: on is {on!r}; expected a list of {', '.join(_STATES)}.")
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        raise SpecError('notify: command must be a list of words, as in ["notify-send", "done"]; no shell is started.')
    if webhook is not None and urllib.parse.urlsplit(str(webhook)).scheme not in ("http", "https"):
        raise SpecError("notify: webhook must be an address that begins with https:// or http://.")
    return Notify(tuple(on), tuple(command), None if webhook is None else str(webhook))
