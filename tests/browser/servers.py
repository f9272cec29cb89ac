"""Real servers for the browser tests: JupyterLab, Notebook 7 and Voilà as processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
START_SECONDS = 120.0
QUIET = {
    # Lab asks the network for news and for newer releases of itself; a test has neither.
    "LabApp": {"check_for_updates_class": "jupyterlab.NeverCheckForUpdate", "expose_app_in_browser": True},
    "JupyterNotebookApp": {"expose_app_in_browser": True},
    # Voilà as an extension of the server: other people's extensions need parts of Lab that its pages do not have.
    "VoilaConfiguration": {
        "extension_allowlist": [
            "@voila-dashboards/widgets-manager8",
            "@jupyter-widgets/jupyterlab-manager",
            "anywidget",
            "lepton-lab",
        ]
    },
    "ServerApp": {"open_browser": False, "allow_root": True, "ip": "127.0.0.1"},
}


LANGUAGE_SETTING = "@jupyterlab/translation-extension/plugin"
CHANGED_SETTINGS = ("@jupyterlab/apputils-extension/themes", LANGUAGE_SETTING)
"""What tests change."""
NOTIFICATIONS = "lab/user-settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """One running server with its folder, run store and token."""

    folder: Path
    argv: list[str]
    env: dict[str, str]
    port: int
    token: str
    path: str = ""
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def store(self) -> Path:
        """Its run store."""
        return Path(self.env["LEPTON_HOME"])

    def start(self) -> Server:
        """Starts the process and waits until it answers."""
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                self.argv, cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_until(self.answers, f"the server {self.argv[2]}; see {self.folder / 'server.log'}", START_SECONDS, 0.2)
        return self

    def answers(self) -> bool:
        """Whether it takes requests; a server that has ended is an error, with the end of its log."""
        if self.process.poll() is not None:
            raise AssertionError((self.folder / "server.log").read_text()[-4000:])
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/login", timeout=10).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def url(self, path: str = "", **query: str) -> str:
        """An address on this server, with the token."""
        extra = "".join(f"&{name}={value}" for name, value in query.items())
        return f"http://127.0.0.1:{self.port}/{path.lstrip('/')}?token={self.token}{extra}"

    def get(self, path: str) -> Any:
        """The JSON that a GET of a path answers."""
        return self._ask(path, None)

    def stop_runs(self) -> None:
        """Stops every run that has not ended, and waits until it has."""
        for run in self._active_runs():
            self._ask(f"lepton-lab/api/runs/{run['run_id']}/commands", {"command": "stop"})
        wait_until(lambda: not self._active_runs(), "all runs to end", 60.0)

    def stop_kernels(self) -> None:
        """Ends every kernel, as a person does who closes a notebook for good."""
        for session in self.get("api/sessions"):
            self._ask(f"api/sessions/{session['id']}", None, method="DELETE")
        for kernel in self.get("api/kernels"):
            self.end_kernel(kernel["id"])

    def end_kernel(self, kernel_id: str) -> None:
        """Ends one kernel, if it has not gone with its page."""
        with contextlib.suppress(urllib.error.HTTPError):
            self._ask(f"api/kernels/{kernel_id}", None, method="DELETE")

    def _active_runs(self) -> list[dict[str, Any]]:
        runs = self.get("lepton-lab/api/runs")["runs"]
        return [run for run in runs if run["state"] not in ("finished", "stopped", "failed")]

    def _ask(self, path: str, body: dict[str, Any] | None, method: str | None = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            said = answer.read()
        return json.loads(said) if said else None

    def write_notebook(self, name: str, *cells: str) -> str:
        """Writes a notebook of code cells into the server's folder; returns its path there, which no other has."""
        name = f"{Path(name).stem}-{secrets.token_hex(4)}.ipynb"
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
        nbformat.write(notebook, self.folder / "notebooks" / name)
        return name

    def write_settings(self, plugin: str, **values: object) -> None:
        """What the settings editor of JupyterLab keeps; a page that is loaded later has it."""
        path = self.folder / "config/lab/user-settings" / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))

    def forget_settings(self) -> None:
        """Theme and language are again as at the start, for whoever loads a page next."""
        for plugin in CHANGED_SETTINGS:
            (self.folder / "config/lab/user-settings" / f"{plugin}.jupyterlab-settings").unlink(missing_ok=True)

    def kill(self) -> None:
        """Ends it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> None:
        """Ends it and its kernels."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()


def environment(folder: Path, store: Path) -> dict[str, str]:
    """A process's variables: settings, kernels and runs of its own, nothing of the user's."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
    return env | {
        "LEPTON_HOME": str(store),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "IPYTHONDIR": str(folder / "ipython"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
    }


def jupyter(app: str, folder: Path, store: Path) -> Server:
    """A JupyterLab (`app` "lab") or Notebook 7 ("notebook") server, on a copy of the project's notebooks."""
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    port, token = free_port(), secrets.token_hex(16)
    settings = {**QUIET, "IdentityProvider": {"token": token}}
    settings["ServerApp"] = {**QUIET["ServerApp"], "port": port, "port_retries": 0}
    config = folder / "jupyter_config.json"
    config.write_text(json.dumps(settings))
    notifications = folder / "config" / NOTIFICATIONS
    notifications.parent.mkdir(parents=True)
    notifications.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    module = {"lab": "jupyterlab", "notebook": "notebook"}[app]
    argv = [sys.executable, "-m", module, f"--config={config}", f"--notebook-dir={folder / 'notebooks'}"]
    return Server(folder, argv, environment(folder, store), port, token).start()


def dashboard(folder: Path, store: Path, *flags: str, board: str = "studio") -> Server:
    """A dashboard as `make dashboard` serves it."""
    shutil.copytree(ROOT / "notebooks" / "dashboards", folder, dirs_exist_ok=True)
    port, token = free_port(), secrets.token_hex(16)
    argv = [sys.executable, "-m", "voila", f"{board}.ipynb", "--no-browser", f"--port={port}", "--Voila.port_retries=0"]
    argv += flags
    env = environment(folder, store) | {"JUPYTER_TOKEN": token}
    return Server(folder, argv, env, port, token).start()
