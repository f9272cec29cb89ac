"""What folders of pictures and of sounds share: files that are listed once, with their labels."""

from __future__ import annotations

from typing import ClassVar

from lepton_lab.data.scan import Scan
from lepton_lab.data.sources.base import Source, path_name
from lepton_lab.data.sources.labelled_files import Listing, identify, list_labelled
from lepton_lab.data.storage import HasRoot
from lepton_lab.specs import DataSpec


class LabelledFolder(Source):
    """A folder with a file for each row, whose class is the folder's name, a field of its own name or a cell."""

    kind: ClassVar[str]
    """What its identity begins with."""
    suffixes: ClassVar[frozenset[str]]
    """How the names of its files end."""
    noun: ClassVar[str]
    """What a person calls its files."""

    def __init__(self, spec: DataSpec, scan: Scan) -> None:
        super().__init__(spec, scan.root.name)
        self._root, self._scan = scan.root, scan
        self._listing: Listing | None = None

    @property
    def name(self) -> str:
        return path_name(self._root)

    def identity(self, store: HasRoot) -> str:
        # Names matter as much as content: they are the labels.
        return f"{self.kind}/" + identify(store, self._scan, self._listed, self.spec)

    def _listed(self) -> Listing:
        if self._listing is None:
            self._listing = list_labelled(self._scan, self.suffixes, self.spec, self.noun)
        return self._listing
