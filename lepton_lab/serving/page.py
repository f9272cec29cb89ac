"""The try-it page: one file for every endpoint, without data, without anything from elsewhere.

Its texts are `words.json`, the same names in each language; it begins in the one that the browser asks for. Style and
script are written into the page, and its Content-Security-Policy names them by hash, so nothing else runs whatever a
label or a file name may contain. All addresses in it are relative: it works as it is behind jupyter-server-proxy
(`.../proxy/8700/`) or any other prefix.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources


class Page:
    """The page's bytes and headers, put together once."""

    def __init__(self) -> None:
        parts = resources.files("lepton_lab.serving").joinpath("tryit")
        style, words, sound, script = (
            parts.joinpath(name).read_text("utf-8") for name in ("style.css", "words.json", "sound.js", "script.js")
        )
        script = f"const LEPTON_WORDS = {words.strip()};\n{sound}\n{script}"
        frame = parts.joinpath("index.html").read_text("utf-8")
        self.html = frame.replace("/*style*/", style).replace("/*script*/", script).encode()
        self.headers = {
            "Content-Security-Policy": _policy(style, script),
            "Referrer-Policy": "no-referrer",
            "X-Frame-Options": "SAMEORIGIN",
            "Cross-Origin-Opener-Policy": "same-origin",
        }


def _policy(style: str, script: str) -> str:
    """Nothing is allowed but the page's own parts, the person's own pictures and sounds, and calls to this endpoint."""
    rules = {
        "default-src": "'none'",
        "script-src": f"'{_hash(script)}'",
        "style-src": f"'{_hash(style)}'",
        "img-src": "blob: data:",
        "media-src": "blob:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'self'",
        "require-trusted-types-for": "'script'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
