"""The session: what a person has loaded and selected so far, and every call that a face makes.

All faces (functions, magics, command line, studio) call one object of this class. It holds names and specs, never
training state: what runs lives in the store, so a new session after a kernel restart finds the last run and goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lepton_lab.errors import RunError, SpecError, UnknownName
from lepton_lab.runs.paths import Store
from lepton_lab.session.dataset import Dataset, dataset_from
from lepton_lab.session.endpoint_calls import EndpointCalls
from lepton_lab.session.host import Host, detect
from lepton_lab.session.lists import RunList, Status, StudioView, sorted_runs
from lepton_lab.session.loading import Listener, LoadProgress
from lepton_lab.session.model import Model, spec_for, spec_from_cell
from lepton_lab.session.run import Run
from lepton_lab.session.sketch import Sketcher
from lepton_lab.session.store_calls import StoreCalls, matches
from lepton_lab.session.tuning import TuneCalls
from lepton_lab.session.waiting import ProgressLine, Watch
from lepton_lab.specs import ModelSpec, RunSpec, TrainSpec

if TYPE_CHECKING:
    from lepton_lab.runs import RunSummary


class Session(EndpointCalls, StoreCalls, TuneCalls):
    """Datasets, models, runs and endpoints of one person in one place.

    Args:
        store: Where runs are kept; by default `$LEPTON_HOME`, else the user's own store.
        host: Where the session lives; by default found out.
        who: The face that commands come from, as the run's history says it.
    """

    def __init__(self, store: Store | None = None, host: Host | None = None, who: str = "session") -> None:
        self.store = store or Store.default()
        self.host = host or detect()
        self.who = who
        self.dataset: Dataset | None = None
        self.model: Model | None = None
        self.sketcher = Sketcher()
        self._last_run: str | None = None
        self._last_endpoint: str | None = None
        self._datasets: dict[str, Dataset] = {}
        self._cancelled = threading.Event()
        self.on_loading: Listener | None = None

    # --- data and model -------------------------------------------------------------------------------------------

    def load_data(self, source: Any, target: Any = None, **options: Any) -> Dataset:
        """Loads a dataset and makes it the current one.

        Args:
            source: A known name, the path of a CSV file or of a folder with a folder per class, a data frame,
                `(inputs, labels)`, an array of inputs, or the name of such a variable of the notebook.
            target: The column to predict of a table, or the labels of an array of inputs.
            **options: Further fields of `DataSpec`.

        Raises:
            UnknownName: If there is no such dataset.
            DataError: If the data cannot be read or trained on.
            SpecError: If an option cannot have its value.
        """
        self._warm_up()
        options = {**({} if target is None else {"target": target}), **options}
        self.dataset = self._prepared(dataset_from(source, self.store, self.host.namespace(), options))
        return self.dataset

    def cancel_loading(self) -> None:
        """Ends a `load_data` that goes on in another thread; what is half done is thrown away."""
        self._cancelled.set()

    def _prepared(self, dataset: Dataset) -> Dataset:
        """Prepares a dataset; a person sees how far it is and can cancel."""
        self._cancelled.clear()
        title = dataset.spec.name
        with LoadProgress(
            title, is_notebook=self.host.is_notebook, listener=self.on_loading, cancelled=self._cancelled
        ) as progress:
            return dataset.prepare(progress)

    def preprocess_data(self, dataset: Dataset | None = None, **options: Any) -> Dataset:
        """The dataset prepared in another way: normalize, missing, image_size, split options."""
        self.dataset = self._prepared(dataset_from(dataset or self.current_dataset(), self.store, {}, options))
        return self.dataset

    def select_model(self, network: Any = None, dataset: Dataset | None = None, **options: Any) -> Model:
        """Selects a network and makes it the current one.

        Args:
            network: "cnn", "rnn", "mlp", ..., a class made from `torch.nn.Module`, the name of one in the notebook,
                or a .py file that defines one; by default the network that suits the dataset.
            dataset: What it will be trained on; by default the current dataset.
            **options: The network's options; for a class of your own its keyword arguments. `weights` names a
                safetensors file to go on from, `freeze` the layers that stay as they are.

        Raises:
            UnknownName: If there is no such network or option.
            ModelError: If it does not suit the dataset, or its source cannot be had.
        """
        self._warm_up()
        dataset = dataset or self.current_dataset()
        return self._select(spec_for(network, dataset, self.host.namespace(), options), dataset)

    def select_source(
        self, cell: str, *, name: str | None = None, class_name: str | None = None, **options: Any
    ) -> Model:
        """Selects a network of one's own by its code; the code may use what the notebook has imported."""
        self._warm_up()
        dataset = self.current_dataset()
        return self._select(spec_from_cell(cell, name, class_name, self.host.namespace(), options), dataset)

    def current_dataset(self) -> Dataset:
        """The dataset that was loaded last.

        Raises:
            SpecError: If none was.
        """
        if self.dataset is None:
            raise SpecError('No dataset is loaded yet; type %lepton data digits (or load_data("digits")).')
        return self.dataset

    def current_model(self) -> Model:
        """The model that was selected last, else the one that suits the dataset."""
        return self.model if self.model is not None else self.select_model()

    def keep_model(self) -> Model:
        """The selected model, now for the current dataset."""
        model = self.current_model()
        return model if model.dataset is self.dataset else self._select(model.spec, self.current_dataset())

    def model_is_for_other_data(self) -> bool:
        """Whether a model is selected, and for another dataset than the current one."""
        return self.model is not None and self.model.dataset is not self.dataset

    # --- runs -----------------------------------------------------------------------------------------------------

    def start(self, model: Model, train: TrainSpec, wait: bool | None = None) -> Run:
        """Starts a run; one that the same cell started before and that still goes on is stopped first."""
        from lepton_lab.runs.record import submit

        cell = self.host.cell()
        self._replace(cell)
        spec = RunSpec(data=model.dataset.prepared.spec, model=model.spec, train=train)
        record = submit(self.store, spec, name=train.name, owner=cell)
        run = Run(record, self)
        self._last_run = run.id
        self._datasets[run.id] = model.dataset
        if wait if wait is not None else not self.host.is_notebook:
            with self.waiting(run) as watch:
                run.wait(watch=watch)
        return run

    def run(self, run_id: str | None = None) -> Run:
        """The run of this id; by default the last one of this session, else of the store.

        Raises:
            UnknownName: If there is no such run.
            RunError: If there is no run at all.
        """
        from lepton_lab.runs.record import RunRecord

        run_id = run_id or self._last_run or self._newest()
        if not self.has_run(run_id):
            raise UnknownName("run", run_id, (summary.run_id for summary in self._summaries()))
        return Run(RunRecord(self.store, run_id), self)

    def own_run(self) -> Run | None:
        """The last run that this very session has started, or None."""
        return self.run(self._last_run) if self._last_run else None

    def active_run(self, run_id: str | None = None) -> Run:
        """The run of this id; by default the one that goes on, preferring this session's own.

        Raises:
            RunError: If none goes on.
        """
        from lepton_lab.runs.states import ENDED

        if run_id:
            return self.run(run_id)
        own = self.own_run()
        if own is not None and not own.ended:
            return own
        live = [summary for summary in self._summaries() if summary.state not in ENDED]
        if not live:
            raise RunError("No run is going on; type %lepton runs to see those that have ended.")
        return self.run(live[0].run_id)

    def runs(
        self,
        limit: int | None = None,
        *,
        search: str | None = None,
        state: str | None = None,
        tag: str | None = None,
        sort: str | None = None,
        reverse: bool = False,
        sizes: bool = False,
    ) -> RunList:
        """The runs of the store, the newest first, or in another order.

        Args:
            limit: How many at most.
            search: Words that stand in the name, title, tags, note, dataset or network.
            state: Only runs in this state.
            tag: Only runs with this tag.
            sort: What to sort by, one of `lists.SORTS`; names from A, figures from the largest.
            reverse: Whether the order is turned round.
            sizes: Whether to say what each takes on disk.
        """
        found = [
            summary
            for summary in self._summaries()
            if (not search or matches(summary, search))
            and (not state or summary.state == state)
            and (not tag or tag in summary.tags)
        ]
        return RunList(sorted_runs(found, sort, reverse)[:limit], self, sizes=sizes)

    def take(self, run_id: str) -> Run:
        """The run of this id, from now on this session's last one."""
        self._last_run = run_id
        return self.run(run_id)

    def has_run(self, run_id: str) -> bool:
        """Whether the store has a run of this name."""
        try:
            return self.store.run_dir(run_id).is_dir()
        except SpecError:
            return False

    def dataset_of(self, run: Run) -> Dataset:
        """The dataset that a run was trained on, read from the cache."""
        if run.id not in self._datasets:
            self._datasets[run.id] = Dataset(run.record.spec().data, self.store)
        return self._datasets[run.id]

    @contextmanager
    def waiting(self, run: Run) -> Iterator[Watch | None]:
        """Shows a run's progress while something waits for it: a line in a terminal, nothing beside a live view."""
        line = None if self.host.is_notebook else ProgressLine()
        try:
            yield line.show if line else None
        finally:
            if line:
                line.close()

    # --- the rest -------------------------------------------------------------------------------------------------

    def status(self) -> Status:
        """What is loaded, what is running and what is online."""
        return Status(
            dataset=self.dataset.name if self.dataset else None,
            model=self.model.name if self.model else None,
            runs=self.runs(limit=5),
            endpoints=self.endpoints(),
            store=str(self.store.root),
        )

    def studio(self, *, public: bool = False) -> StudioView:
        """The form for all five steps; `public` for dashboards: known datasets and loopback endpoints only."""
        self._warm_up()
        return StudioView(self, public)

    def _select(self, spec: ModelSpec, dataset: Dataset) -> Model:
        self.model = Model(spec, dataset, self)
        return self.model

    def _replace(self, cell: str | None) -> None:
        """Stops what this very cell started before, in this session or before a kernel restart, and still goes on."""
        if not cell:
            return
        from lepton_lab.runs.states import ENDED

        for summary in self._summaries():
            if summary.state not in ENDED and self._owner(summary.run_id) == cell:
                self.run(summary.run_id).stop()

    def _owner(self, run_id: str) -> str | None:
        """The cell that started a run, as its first event says."""
        from lepton_lab.runs import RunRecord

        first = next(iter(RunRecord(self.store, run_id).events()), {})
        return first.get("owner")

    def _summaries(self) -> list[RunSummary]:
        from lepton_lab.runs.record import list_runs

        return list_runs(self.store)

    def _newest(self) -> str:
        summaries = self._summaries()
        if not summaries:
            raise RunError("There is no run yet; type %lepton train.")
        return str(summaries[0].run_id)

    def _warm_up(self) -> None:
        """Asks for a warm worker in the background, so that `train` starts at once."""
        threading.Thread(target=_ensure_warm, args=(self.store,), name="lepton-warm-up", daemon=True).start()


def _ensure_warm(store: Store) -> None:
    from lepton_lab.runs.launch import ensure_supervisor

    ensure_supervisor(store, warm=True)
