"""Who is at work: the name that a shared store is fair by, and that stands beside each change."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping


def current_user(env: Mapping[str, str] = os.environ) -> str:
    """The JupyterHub user where there is one, else the login name; "somebody" where the system knows none."""
    try:
        return env.get("JUPYTERHUB_USER") or getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
