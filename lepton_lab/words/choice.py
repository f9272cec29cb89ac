"""Which language the reader has asked for.

The first of these that names one: `speaking(...)` around this call, `choose(...)` (`%lepton language zh`), the variable
LEPTON_LANG, `language = "zh"` in the user's config.toml, JupyterLab's own language setting (in a kernel that Jupyter
started), and LC_ALL, LC_MESSAGES or LANG. English is what is left.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from functools import cache
from pathlib import Path

LANGUAGES = {"en": "English", "zh": "简体中文"}
"""What can be read, and how each calls itself."""

_LAB_SETTING = Path("lab/user-settings/@jupyterlab/translation-extension/plugin.jupyterlab-settings")
_asked: ContextVar[str | None] = ContextVar("lepton_language", default=None)
_chosen: str | None = None


def language() -> str:
    """The reader's language: a key of `LANGUAGES`."""
    return _asked.get() or _chosen or _of_surroundings()


def language_of(name: str | None) -> str | None:
    """The language of a locale's name ("zh_CN.UTF-8", "zh-Hans", "en-GB,en;q=0.9"); None for one that is not known."""
    for part in (name or "").split(","):
        found = re.match(r"\s*([A-Za-z]{2,3})(?![A-Za-z])", part)
        if found and found[1].lower() in LANGUAGES:
            return found[1].lower()
    return None


def choose(name: str | None) -> None:
    """Sets the language of this process; None: what its surroundings say."""
    global _chosen
    _chosen = language_of(name)


def keep(name: str | None) -> Path:
    """Sets the language of this process, and writes it into the user's config.toml; None takes it out of there.

    Returns:
        The file that was written.
    """
    choose(name)
    path = config_path()
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    top, bracket, rest = text.partition("[")
    top = re.sub(r"(?m)^language\s*=.*\n?", "", top)
    line = f'language = "{_chosen}"\n' if _chosen else ""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)
    path.write_text(line + top + bracket + rest, encoding="utf-8")
    _from_files.cache_clear()
    return path


@contextlib.contextmanager
def speaking(name: str | None) -> Iterator[None]:
    """The language within a `with` block (of this thread or task); None or an unknown name changes nothing."""
    known = language_of(name)
    token = _asked.set(known or _asked.get())
    try:
        yield
    finally:
        _asked.reset(token)


def config_path(env: Mapping[str, str] = os.environ) -> Path:
    """Where the user's configuration lies."""
    if env.get("LEPTON_CONFIG"):
        return Path(env["LEPTON_CONFIG"]).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "lepton" / "config.toml"
    return Path(env.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "lepton" / "config.toml"


def _of_surroundings() -> str:
    named = language_of(os.environ.get("LEPTON_LANG"))
    return named or _from_files() or _from_locale() or "en"


def _from_locale() -> str | None:
    # As in gettext: LANGUAGE counts only where a locale is set at all.
    locale = next((os.environ[key] for key in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(key)), "")
    listed = os.environ.get("LANGUAGE", "").replace(":", ",") if locale and locale not in ("C", "POSIX") else ""
    return language_of(listed) or language_of(locale)


@cache
def _from_files() -> str | None:
    """What config.toml or JupyterLab's settings say, read once in a process."""
    return _configured(config_path()) or (_of_lab() if os.environ.get("JPY_PARENT_PID") else None)


def _configured(path: Path) -> str | None:
    # A broken file is told of by whoever needs what it says; for the language it is no reason to stop.
    try:
        named = tomllib.loads(path.read_text(encoding="utf-8")).get("language")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return None
    return language_of(named) if isinstance(named, str) else None


def _of_lab() -> str | None:
    folder = Path(os.environ.get("JUPYTER_CONFIG_DIR") or Path.home() / ".jupyter")
    try:
        text = (folder / _LAB_SETTING).read_text(encoding="utf-8")
        settings = json.loads(re.sub(r"(?ms)^\s*//[^\n]*$|/\*.*?\*/", "", text))
    except (OSError, ValueError):
        return None
    named = settings.get("locale") if isinstance(settings, dict) else None
    return language_of(named) if isinstance(named, str) else None
