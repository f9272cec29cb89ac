"""Sources whose files are brought into the cache first: archives, and files that lie on other machines."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

from lepton_lab.data import fingerprint
from lepton_lab.data.archives import unpack
from lepton_lab.data.material import Material, Progress
from lepton_lab.data.sources.base import Source, slug
from lepton_lab.data.storage import HasRoot
from lepton_lab.data.trees import keep_tree, only_entry
from lepton_lab.errors import DataError
from lepton_lab.specs import DataSpec


class BroughtHere(Source):
    """A source that stands for another one, whose files it first brings into the cache."""

    uses = frozenset(DataSpec.model_fields)
    """Whatever the other one uses: that is known when its files are there."""

    @abstractmethod
    def bring(self, store: HasRoot, progress: Progress) -> Path:
        """The place of the files in the cache."""

    def read(self, store: HasRoot, progress: Progress) -> Material:
        from lepton_lab.data.loading import refuse_meaningless
        from lepton_lab.data.sources.find import find_source

        place = self.bring(store, progress)
        try:
            source = find_source(self.spec.changed(name=str(place)), store)
            refuse_meaningless(source)
            return source.read(store, progress)
        except DataError as error:
            # The person knows the archive or the address, not the folder in the cache.
            said = str(error).replace(str(place), self.spec.name)
            raise DataError(said if self.spec.name in said else f"{self.title}: {said}") from None


class ArchiveFile(BroughtHere):
    """A zip or tar archive of anything that can be loaded from a file or a folder.

    Args:
        spec: Names the archive, or a path that goes on inside of it.
        archive: The archive.
        inside: What is meant inside of it; "" for everything.
    """

    def __init__(self, spec: DataSpec, archive: Path, inside: str) -> None:
        super().__init__(spec, archive.name + (f"/{inside}" if inside else ""))
        self._archive, self._inside = archive, inside

    @property
    def name(self) -> str:
        return slug(Path(self._inside).stem if self._inside else self._archive.name.split(".")[0])

    def identity(self, store: HasRoot) -> str:
        content = fingerprint.of_files(store, self._archive.parent, [self._archive])
        return f"archive/{content}/{self._inside}"

    def bring(self, store: HasRoot, progress: Progress) -> Path:
        content = fingerprint.of_files(store, self._archive.parent, [self._archive])
        what = f"Unpacking {self._archive.name}"
        root = keep_tree(
            store,
            f"unpacked-{content}",
            lambda folder: unpack(self._archive, folder, lambda part: progress(what, part)),
        )
        if not self._inside:
            return only_entry(root)
        place = root / self._inside
        if not place.resolve().is_relative_to(root.resolve()) or not place.exists():
            raise DataError(f"{self._archive.name!r} holds no {self._inside!r}.")
        return place
