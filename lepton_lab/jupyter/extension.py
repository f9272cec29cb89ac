"""The extension application: builds the watch on the store, mounts the routes, ends with the server."""

from __future__ import annotations

from typing import Any

from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool, Unicode

from lepton_lab.jupyter.hub import StoreHub
from lepton_lab.jupyter.routes import routes
from lepton_lab.runs.paths import Store


class LeptonExtension(ExtensionApp):
    """Serves the run store under `<base>/lepton-lab/api`."""

    name = "lepton_lab"
    extension_url = "/lepton-lab"

    store_root = Unicode("", help="Folder of the run store (default: $LEPTON_HOME, else the user's own).").tag(
        config=True
    )
    supervise = Bool(True, help="Start a supervisor when a run or an endpoint needs one.").tag(config=True)

    def initialize_handlers(self) -> None:
        """Mounts the routes on one hub."""
        store = Store(self.store_root) if self.store_root else Store.default()
        self.hub = StoreHub(store, self.log, supervise=self.supervise)
        self.handlers.extend(routes(self.hub))

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        self.hub.start()

    async def stop_extension(self) -> None:
        """Ends the watch when the server stops."""
        await self.hub.close()
