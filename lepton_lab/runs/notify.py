"""Tells the user that a run has ended, the way their own configuration file says: a command, a webhook, or both.

`config.toml` in the user's configuration folder, or where `LEPTON_CONFIG` points:

```toml
[notify]
on = ["finished", "failed"]        # the default; "stopped" may be added
command = ["notify-send", "A run has ended"]
webhook = "https://chat.example.org/hooks/..."
```

The command is started without a shell, with `LEPTON_RUN_ID`, `LEPTON_RUN_STATE` and `LEPTON_RUN_MESSAGE` set, and
the run's summary as JSON on its standard input; the webhook gets the same JSON by POST. Nothing of this can be set by
a request, a spec or a run's folder. Run by the supervisor as `python -m lepton_lab.runs.notify --store PATH --run ID`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from lepton_lab.errors import SpecError
from lepton_lab.runs.atomic import read_json, write_json
from lepton_lab.runs.config import Notify, read_config
from lepton_lab.runs.locks import FileLock
from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import RunRecord
from lepton_lab.runs.summary import RunSummary

NOTIFIED_FILE, NOTIFY_LOCK = "notified.json", "notify.lock"
_SECONDS = 30.0


def notify(record: RunRecord, config: Notify) -> bool:
    """Tells of a run's end, once; returns whether it was told now.

    The lock and the record of what was told make it once, however often a supervisor is killed and asks again.
    """
    summary = record.summary()
    if summary.state not in config.on or not config.is_wanted:
        return False
    with FileLock(record.dir / NOTIFY_LOCK) as lock:
        if not lock.acquire() or _told(record.dir) == summary.ended:
            return False
        body = json.dumps(summary.to_dict()).encode()
        if config.command:
            _run(config.command, summary, body)
        if config.webhook:
            _post(config.webhook, body)
        write_json(record.dir / NOTIFIED_FILE, {"ended": summary.ended})
        return True


def _told(run_dir: Path) -> Any:
    path = run_dir / NOTIFIED_FILE
    return read_json(path).get("ended") if path.exists() else None


def _run(command: tuple[str, ...], summary: RunSummary, body: bytes) -> None:
    env = {
        **os.environ,
        "LEPTON_RUN_ID": summary.run_id,
        "LEPTON_RUN_STATE": summary.state,
        "LEPTON_RUN_MESSAGE": summary.message or "",
    }
    try:
        done = subprocess.run(command, input=body, env=env, timeout=_SECONDS, capture_output=True, check=False)
        if done.returncode:
            print(f"notify: {command[0]} ended with code {done.returncode}", file=sys.stderr)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"notify: {command[0]} could not be run: {type(error).__name__}", file=sys.stderr)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The user named one address; what is there may not send the summary somewhere else."""

    def redirect_request(self, *arguments: Any, **options: Any) -> None:
        return None


def _post(webhook: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json", "User-Agent": "lepton-lab"}
    request = urllib.request.Request(webhook, data=body, headers=headers, method="POST")
    try:
        urllib.request.build_opener(_NoRedirect).open(request, timeout=_SECONDS).close()
    except (OSError, ValueError) as error:
        # The address may hold a secret; the host alone says which one it was.
        host = urllib.parse.urlsplit(webhook).hostname
        print(f"notify: the webhook at {host} did not take it: {type(error).__name__}", file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="lepton_lab.runs.notify", description="Tells of a run's end.")
    parser.add_argument("--store", required=True, help="the run store's folder")
    parser.add_argument("--run", required=True, help="the run")
    options = parser.parse_args(arguments)
    try:
        notify(RunRecord(Store(options.store), options.run), read_config())
    except SpecError as error:
        print(f"notify: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
