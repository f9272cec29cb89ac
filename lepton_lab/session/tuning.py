"""The calls of a session that search for options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lepton_lab.session.host import Host
from lepton_lab.session.study import Study, StudyList
from lepton_lab.specs import RunSpec, TrainSpec, TuneSpec
from lepton_lab.specs.search import search_text

if TYPE_CHECKING:
    from lepton_lab.runs import Store
    from lepton_lab.session.model import Model
    from lepton_lab.session.run import Run


class TuneCalls:
    """The part of `Session` that searches."""

    store: Store
    host: Host

    def current_model(self) -> Model:
        """The model that was selected last; see `Session`."""
        raise NotImplementedError

    def run(self, run_id: str | None = None) -> Run:
        """The run of this id; see `Session`."""
        raise NotImplementedError

    def tune(
        self,
        model: Model | None = None,
        *,
        search: str | Mapping[str, Any] = "auto",
        wait: bool | None = None,
        **options: Any,
    ) -> Study:
        """Searches for good options: trials are ordinary runs, in the queue like all others.

        Args:
            model: Whose options are searched; by default the current model.
            search: For each option a range `(low, high)` or a list of values; or the line that says the same:
                "learning_rate=1e-4..1e-1 model_channels=8..64 optimizer=adamw,sgd". Options of the network begin with
                `model_`, those of the dataset with `data_`.
            wait: Whether to wait for the end; by default a notebook goes on and a script waits.
            **options: Fields of `TuneSpec` (trials, prune, parallel, study, ...) and of `TrainSpec`, the latter the
                same for all trials. With `cluster` each trial works on the Ray cluster, in one process unless
                `workers` says more, and as many trials at a time as it has room for.

        Raises:
            SpecError: If an option cannot have its value, or is no option.
            RunError: If a study of that name searches something else.
        """
        from lepton_lab.tuning.engine import load_optuna
        from lepton_lab.tuning.record import request

        load_optuna()  # said here, not by the process that drives the study
        model = model or self.current_model()
        if options.get("cluster") is not None:
            options.setdefault("workers", 1)  # many trials beside each other, rather than each of them faster
        fixed = {name: options.pop(name) for name in list(options) if name in TrainSpec.model_fields}
        tune = TuneSpec.parse({**options, "search": search_text(search)})
        prepared = model.dataset.prepared
        run = RunSpec(data=prepared.spec, model=model.spec, train=TrainSpec.parse(fixed))
        name = request(self.store, tune, run, task=prepared.task, optimizer=run.train.optimizer)
        study = Study(name, self)
        return study.wait() if (not self.host.is_notebook if wait is None else wait) else study

    def study(self, name: str | None = None) -> Study:
        """The study of this name; by default the newest.

        Raises:
            UnknownName: If there is no such study.
            RunError: If there is none at all.
        """
        from lepton_lab.errors import RunError
        from lepton_lab.tuning.record import find_study, study_names

        names = study_names(self.store)
        if name is None and not names:
            raise RunError("There is no study yet; type %lepton tune.")
        found = find_study(self.store, name or names[0])
        return Study(found.name, self)

    def studies(self) -> StudyList:
        """The studies of the store, the newest first."""
        from lepton_lab.tuning.record import study_names

        return StudyList([Study(name, self) for name in study_names(self.store)])
