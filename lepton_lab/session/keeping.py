"""What a person does with a run that is kept: labels, checkpoints, another try, a branch, a proof, a copy elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_lab.errors import RunError
from lepton_lab.session.answers import RunDetails, Said, megabytes

if TYPE_CHECKING:
    from lepton_lab.runs import RunRecord
    from lepton_lab.session.facade import Session
    from lepton_lab.session.run import Run


class Kept:
    """The part of `Run` that is about its record rather than its training."""

    record: RunRecord
    _session: Session

    def details(self) -> RunDetails:
        """Options, labels, lineage, checkpoints and size."""
        from lepton_lab.errors import LeptonError
        from lepton_lab.runs.branch import flat_options, lineage
        from lepton_lab.runs.checkpoints import all_steps
        from lepton_lab.runs.copies import read_note
        from lepton_lab.runs.hints import run_hints
        from lepton_lab.runs.housekeeping import folder_bytes
        from lepton_lab.runs.labels import read_labels

        try:
            options = flat_options(self.record.spec().model_dump(mode="json"))
        except LeptonError:  # a folder that was copied in half is still shown
            options = {}
        return RunDetails(
            self.record.summary(),
            [str(hint) for hint in run_hints(self._session.store, self.record.run_id)],
            options,
            lineage(self._session.store, self.record.run_id),
            all_steps(self.record.dir),
            read_labels(self.record.dir).pinned_checkpoints,
            folder_bytes(self.record.dir),
            read_note(self.record.dir),
        )

    def rename(self, title: str | None) -> Said:
        """Gives the run a title; its name stays its address. None takes the title away."""
        from lepton_lab.runs.labels import rename_run

        labels = rename_run(self.record.dir, title, by=self._who)
        name = self.record.run_id
        said = f"{name} is now shown as {labels.title!r}." if labels.title else f"{name} is shown by its name again."
        return self._said(said, title=labels.title)

    def tag(self, tags: Sequence[str] = (), *, remove: bool = False) -> Said:
        """Puts tags on the run, or takes them off."""
        from lepton_lab.runs.labels import tag_run

        tags = [tags] if isinstance(tags, str) else list(tags)
        added, removed = ([], tags) if remove else (tags, [])
        labels = tag_run(self.record.dir, added, removed, by=self._who)
        name = self.record.run_id
        said = f"{name} has the tags {', '.join(labels.tags)}." if labels.tags else f"{name} has no tag."
        return self._said(said, tags=labels.tags)

    def note(self, text: str) -> Said:
        """Writes the run's note, in place of the one before; "" takes it away."""
        from lepton_lab.runs.labels import note_run

        labels = note_run(self.record.dir, text, by=self._who)
        name = self.record.run_id
        return self._said(f"{name} has its note." if labels.note else f"{name} has no note any more.", note=labels.note)

    def pin(self, pinned: bool = True, *, checkpoint: int | None = None) -> Said:
        """Keeps the run, or one of its checkpoints, from being deleted or thinned out; False takes the pin off."""
        from lepton_lab.runs.labels import pin_checkpoint, pin_run

        if checkpoint is None:
            labels, what = pin_run(self.record.dir, pinned, by=self._who), self.record.run_id
        else:
            labels = pin_checkpoint(self.record.dir, checkpoint, pinned, by=self._who)
            what = f"{self.record.run_id}'s checkpoint at step {checkpoint}"
        said = f"{what} is pinned." if pinned else f"{what} is no longer pinned."
        values = {"pinned": labels.pinned, "pinned_checkpoints": labels.pinned_checkpoints}
        return self._said(said, **values)

    def delete(self, *, force: bool = False) -> Said:
        """Removes the run with all its files; one that is at work has to be stopped, a pinned one needs `force`."""
        from lepton_lab.runs.lifecycle import delete_run

        freed = delete_run(self._session.store, self.record.run_id, by=self._who, force=force)
        return self._said(f"{self.record.run_id} is deleted; {megabytes(freed)} were freed.", freed_bytes=freed)

    def retry(self) -> Run:
        """Queues a failed or stopped run again; it goes on from its last checkpoint."""
        from lepton_lab.runs.lifecycle import retry_run

        retry_run(self._session.store, self.record.run_id, by=self._who)
        return self._session.run(self.record.run_id)

    def train_longer(self, epochs: int, *, name: str | None = None, **train: Any) -> Run:
        """Goes on in a new run from the last checkpoint, for so many more epochs.

        Args:
            epochs: Epochs to add.
            name: The new run's name.
            **train: Training options to change.
        """
        from lepton_lab.runs.branch import continue_run

        record = continue_run(self._session.store, self.record.run_id, epochs, by=self._who, name=name, **train)
        return self._session.take(record.run_id)

    def fork(
        self,
        *,
        step: int | None = None,
        name: str | None = None,
        model: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
        **train: Any,
    ) -> Run:
        """Starts a new run from one of this run's checkpoints, with changed options.

        Args:
            step: Whose checkpoint (default: the last).
            name: The new run's name.
            model: Options of the network to change.
            data: Data options to change.
            **train: Training options to change.
        """
        from lepton_lab.runs.branch import fork_run

        record = fork_run(
            self._session.store,
            self.record.run_id,
            by=self._who,
            step=step,
            name=name,
            train=train,
            model_options=model,
            data=data,
        )
        return self._session.take(record.run_id)

    def queue(self, *, priority: int | None = None, place: int | None = None) -> Said:
        """Changes a run's priority (from -100 to 100), or its place among those of its priority (1 is next)."""
        from lepton_lab.runs.lifecycle import move_run, set_priority

        store, run_id = self._session.store, self.record.run_id
        if priority is None and place is None:
            raise RunError(f"queue: nothing to change for {run_id}; give --priority 5 or --place 1.")
        if priority is not None:
            set_priority(store, run_id, priority, by=self._who)
        if place is not None:
            move_run(store, run_id, place, by=self._who)
        summary = self.record.summary()
        place = summary.queue_position
        where = f"{run_id} stands at place {place}" if place else f"{run_id} is {summary.state}"
        return self._said(
            f"{where}, priority {summary.priority}.",
            priority=summary.priority,
            queue_position=summary.queue_position,
        )

    def verify(self) -> Said:
        """Proves a finished run by training it again from a checkpoint; takes about as long as the run took from there.

        Raises:
            RunError: If it has not finished, or the replay fails.
        """
        from lepton_lab.runs.verification import verify_run

        found = verify_run(self._session.store, self.record.run_id, by=self._who)
        return Said(str(found), found.to_dict())

    def trust(self) -> Said:
        """Says that code which came with this run from elsewhere may be run here."""
        from lepton_lab.runs.record import trust_run

        trust_run(self._session.store, self.record.run_id, by=self._who)
        return self._said(f"{self.record.run_id} is trusted: its code may be run here.")

    def move(self, folder: str | Path) -> Said:
        """Moves the run's folder to another place, from where `import_run` brings it into any store."""
        from lepton_lab.session.copies import move_out

        target = move_out(self._session.store, self.record.run_id, Path(folder).expanduser(), by=self._who)
        return self._said(
            f"{self.record.run_id} now lies at {target}; bring it into a store with %lepton runs import.",
            path=str(target),
        )

    @property
    def _who(self) -> str:
        return self._session.who

    def _said(self, sentence: str, **values: Any) -> Said:
        """A sentence about the run, with its values."""
        return Said(sentence, {"run_id": self.record.run_id, **values})
