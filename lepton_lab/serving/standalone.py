"""`lepton-lab serve BUNDLE`: puts a bundle online anywhere, and takes it down again when the command ends."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lepton_lab.errors import SpecError
from lepton_lab.runs.endpoints import stop_endpoint, summarize
from lepton_lab.runs.paths import Store
from lepton_lab.serving import lifecycle
from lepton_lab.serving.bundle import load
from lepton_lab.specs import DeploySpec

LOOK_SECONDS = 1.0


class _Parser(argparse.ArgumentParser):
    """Says what is wrong as the rest of the program does."""

    def error(self, message: str) -> Any:
        raise SpecError(f"serve: {message}.")


def serve(words: Sequence[str], store: Store | None = None) -> str:
    """Serves a bundle until it is told to end (Ctrl-C, SIGTERM).

    Args:
        words: The words behind `serve`.
        store: Where the endpoint is kept; by default the user's own store.

    Returns:
        What to say at the end.

    Raises:
        SpecError: If the words are not understood.
        ServingError: If the bundle is broken, or cannot be served.
    """
    asked = _parse(words)
    store = (store or Store.default()).prepare()
    bundle = load(asked.bundle)
    options = {key: value for key, value in vars(asked).items() if key != "bundle"}
    spec = DeploySpec.parse({key: value for key, value in options.items() if value is not None})
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    summary, key = lifecycle.deploy(store, bundle.manifest.run_id, spec, bundle_folder=asked.bundle)
    print(f"{summary.name}: version {summary.version} answers on {summary.url}", file=sys.stderr)
    if key:
        print(f"key: {key}  (shown this once)", file=sys.stderr, flush=True)
    while not over.wait(LOOK_SECONDS):
        if summarize(store, summary.name).state == "stopped":
            return f"{summary.name} was stopped."
    stop_endpoint(store, summary.name)
    return f"{summary.name} has answered what it had accepted and is down."


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(prog="lepton-lab serve", description="Puts a bundle online until Ctrl-C.", add_help=False)
    parser.add_argument("bundle", type=Path, help="the bundle's folder")
    parser.add_argument("--name", default=None, help="the endpoint's name")
    parser.add_argument("--host", default=None, help="the address to listen on")
    parser.add_argument("--port", type=int, default=None, help="the port")
    parser.add_argument("--allow-remote", action="store_true", default=None, help="accept other machines")
    parser.add_argument("--processes", type=int, default=None, help="how many processes answer")
    parser.add_argument("--tls", action="store_true", default=None, help="answer over TLS")
    parser.add_argument("--tls-certificate", default=None, help="PEM file with the certificate chain")
    parser.add_argument("--tls-key", default=None, help="PEM file with the certificate's key")
    if "--help" in words or "-h" in words:
        raise SpecError(parser.format_help().strip())
    return parser.parse_args(list(words))
