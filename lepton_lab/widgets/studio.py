"""The studio: the form for all five steps as one anywidget.

The kernel holds the truth (a session, the sections' values, what came of each step) in synced traits; the page draws
it and sends short messages. Whatever takes time runs in one thread of the widget, and training runs in its own
process, so a message is always answered at once.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anywidget
import traitlets

from lepton_lab.errors import DataError, LeptonError, RunError, SpecError
from lepton_lab.session import Compression, Run, Session
from lepton_lab.session.waiting import ACTIVE
from lepton_lab.widgets import studio_steps as steps
from lepton_lab.widgets import studio_values as forms
from lepton_lab.widgets.curve import perform, sample_picture
from lepton_lab.widgets.frames import FramePusher
from lepton_lab.widgets.static_files import module_source, style_source
from lepton_lab.widgets.studio_search import Searching
from lepton_lab.widgets.uploads import Upload
from lepton_lab.words import N_

SYNC = {"sync": True}


class Studio(Searching, anywidget.AnyWidget):
    """Pick a dataset, set up a network, train, evaluate, deploy, try it.

    Messages of the page, each `{"type": ...}`: `hello`; `set` with `section`, `values` (the whole section);
    `load_data`; `cancel_loading`; `upload` with `name`, `total`, `offset` and a buffer; `select_model`; `sketch`;
    `train`; `tune`; `stop_study`; `take_best`; `command` with `command`, `value`; `evaluate`; `explain` with `row`;
    `compress`; `deploy`; `stop_endpoint`; `predict` with `row`, `image` (base64), `text` or `values`; `language` with
    `language`, the page's. The kernel answers in the traits, and with curve frames.
    """

    _esm = traitlets.Unicode().tag(**SYNC)
    _css = traitlets.Unicode().tag(**SYNC)

    step = traitlets.Unicode("data").tag(**SYNC)
    """The step in sight (str): data, model, train, evaluate or deploy. The page sets it."""
    only = traitlets.Unicode("").tag(**SYNC)
    """The one step that is shown (str) where a step stands alone; empty: all five."""
    locked = traitlets.Bool(False).tag(**SYNC)
    """Whether the page only asks the endpoint and changes nothing (bool)."""
    locale = traitlets.Unicode("").tag(**SYNC)
    """Language of the form (str): "en", "zh_CN"; empty: the page's."""
    schemas = traitlets.Dict().tag(**SYNC)
    """JSON schemas (dict): data, train, tune, deploy; under model one for each network."""
    choices = traitlets.Dict().tag(**SYNC)
    """What pickers offer (dict): datasets, models, and whether paths may be typed."""
    values = traitlets.Dict().tag(**SYNC)
    """The form (dict): data, model {name, options}, train, tune, deploy; only what differs from the defaults."""
    lines = traitlets.Dict().tag(**SYNC)
    """For each step (and predict) {magic, python} (dict): what the form stands for."""
    card = traitlets.Dict(default_value=None, allow_none=True).tag(**SYNC)
    """The loaded dataset's card (dict or None), samples with pictures as data: addresses."""
    model_summary = traitlets.Dict(default_value=None, allow_none=True).tag(**SYNC)
    """The selected network (dict or None): name, own, options, input_shape, num_classes, num_parameters once known."""
    run_id = traitlets.Unicode("").tag(**SYNC)
    """The run in sight (str); empty before the first."""
    summary = traitlets.Dict(default_value=None, allow_none=True).tag(**SYNC)
    """The run's summary (dict or None) when its state last changed; frames carry the later ones."""
    report = traitlets.Dict(default_value=None, allow_none=True).tag(**SYNC)
    """The run's report (dict or None), mistakes with pictures."""
    endpoint = traitlets.Dict(default_value=None, allow_none=True).tag(**SYNC)
    """The endpoint (dict or None): name, url, key_shown_once (str or None), state, version."""
    prediction = traitlets.Dict(default_value=None, allow_none=True).tag(**SYNC)
    """The last answer (dict or None): label, confidence, scores, truth, correct, row, milliseconds, picture."""
    row_fields = traitlets.List().tag(**SYNC)
    """What the endpoint asks of a table's row (list of dict): name, kind, choices, example; empty for other rows."""
    study = traitlets.Dict(default_value=None, allow_none=True).tag(**SYNC)
    """The search in sight (dict or None): the table of `tuning.record.Table`, best_run, sentence."""
    explanation = traitlets.Dict(default_value=None, allow_none=True).tag(**SYNC)
    """What the answer to a test row rests on (dict or None): row, kind, label, score, effects, names, picture."""
    compression = traitlets.Dict(default_value=None, allow_none=True).tag(**SYNC)
    """The run's variants (dict or None): the table of `compression.record.Table`."""
    busy = traitlets.Unicode("").tag(**SYNC)
    """What is being done (str), as a sentence; empty: nothing."""
    loading = traitlets.Bool(False).tag(**SYNC)
    """Whether data is being loaded (bool), which `cancel_loading` ends."""
    error = traitlets.Dict(default_value=None, allow_none=True).tag(**SYNC)
    """What went wrong last (dict or None): step, message."""

    def __init__(self, session: Session, *, public: bool = False, module: str | None = None, **traits: Any) -> None:
        """Opens the form on a session.

        Args:
            session: What it works on.
            public: Whether other people may use it: named datasets and loopback endpoints only.
            module: The page's ES module; by default the one that was built.
            **traits: First values of traits, such as `step` or `locale`.
        """
        self._session, self._public, self._row = session, public, 0
        self._jobs = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lepton-studio")
        self._pusher: FramePusher | None = None
        self._upload: Upload | None = None
        self._run: Run | None = None
        values = steps.first_values(session)
        super().__init__(
            _esm=module_source("studio") if module is None else module,
            _css=style_source("studio"),
            schemas=forms.schemas(public=public),
            choices=forms.choices(public=public),
            values=values,
            **traits,
        )
        self._write_lines()
        self.on_msg(self._on_message)
        self._take_over()

    def close(self) -> None:
        """Ends the widget's threads; runs and endpoints go on."""
        if self._pusher:
            self._pusher.close()
        self._jobs.shutdown(wait=False, cancel_futures=True)
        super().close()

    # --- messages -------------------------------------------------------------------------------------------------

    def _on_message(self, _: Any, content: Any, buffers: Any) -> None:
        kind = content.get("type") if isinstance(content, dict) else None
        if not isinstance(kind, str):
            return
        if kind == "hello":
            self._hello()
        elif kind == "set":
            self._guarded(str(content.get("section")), lambda: self._set(content.get("section"), content.get("values")))
        elif kind == "upload":
            self._guarded("data", lambda: self._take_piece(content, buffers))
        elif kind == "sketch":
            # Beside the jobs: the first drawing waits for an import of torch, and nobody who trains should.
            threading.Thread(target=self._guarded, args=("model", self._sketch), daemon=True).start()
        elif kind == "language":
            self._speak(str(content.get("language")))
        elif kind == "cancel_loading":
            self._session.cancel_loading()
        elif kind == "command":
            self._guarded("train", lambda: self._command(content.get("command"), content.get("value")))
        elif kind in self._SLOW:
            step, doing, do = self._SLOW[kind]
            self._jobs.submit(self._work, step, doing, lambda: do(self, content))

    def _hello(self) -> None:
        if self.endpoint and self.endpoint.get("key_shown_once"):
            self.endpoint = {**self.endpoint, "key_shown_once": None}
        if self._pusher:
            self._pusher.hello()
        if self.card is None and self._session.dataset is not None:
            self._jobs.submit(self._work, "data", "", self._show_loaded)

    def _speak(self, language: str) -> None:
        """Says in the page's language what stands there already."""
        self._page_language = language
        if self.card is not None and self._session.dataset is not None:
            self.card = self._card_said(self._session.dataset.to_dict())
        if self.study is not None:
            self._show_study(self._study_in_sight())

    def _take_piece(self, content: dict[str, Any], buffers: Any) -> None:
        """A piece of a file that the page sends; the whole file is loaded at once."""
        if self._public:
            raise SpecError("A dashboard takes no files; pick one of the known datasets.")
        if content.get("offset") == 0:
            self._upload = Upload(self._session.store.root, content.get("name"), content.get("total"))
        if self._upload is None or not buffers:
            raise DataError("The file did not arrive whole; choose it again.")
        if self._upload.add(content.get("offset"), bytes(buffers[0])):
            path, self._upload = self._upload.path, None
            self._set("data", {"name": str(path)})
            self._jobs.submit(self._work, "data", N_("Loading the data"), self._load_data)

    def _set(self, section: Any, values: Any) -> None:
        self.values = {**self.values, section: forms.checked(section, values, public=self._public)}
        self._write_lines()
        if section == "model" and self._session.dataset is not None:
            self._jobs.submit(self._work, "model", "", self._select_model)

    def _command(self, command: Any, value: Any) -> None:
        if self._run is None:
            raise RunError("There is no run yet; start one first.")
        if self._pusher:
            self._pusher.heard()
        perform(self._run, command, value)
        if command == "resume":
            self._follow(self._run)

    # --- steps, in the widget's thread ----------------------------------------------------------------------------

    def _load_data(self, content: dict[str, Any] | None = None) -> None:
        self._session.on_loading, self.loading = self._told, True
        try:
            dataset = self._session.load_data(**steps.data_arguments(self.values["data"]))
        finally:
            self.loading = False
        self.card = self._card_said(dataset.to_dict())
        self._select_model()

    def _told(self, what: str, fraction: float | None) -> None:
        """Shows how far the loading of data is."""
        if what:
            said = self._say(what)
            self.busy = said if fraction is None else f"{said}: {fraction:.0%}"

    def _select_model(self, content: dict[str, Any] | None = None) -> None:
        model = steps.select(self._session, self.values["model"])
        self.values = {**self.values, "model": steps.model_values(model)}
        self.model_summary = steps.describe(model)
        self._write_lines()

    def _sketch(self) -> None:
        """The network on paper: built once in a process of its own, never in this kernel."""
        asked = self.model_summary
        drawn = self._session.current_model().summary()
        if self.model_summary is asked:
            self.model_summary = steps.with_sketch(asked, drawn)

    def _explain(self, content: dict[str, Any]) -> None:
        self.explanation = steps.explanation(self._require_run(finished=True), content.get("row"))

    def _compress(self, content: dict[str, Any]) -> None:
        self._follow_variants(self._require_run(finished=True).compress(wait=False))

    def _ready_model(self) -> None:
        if self._session.dataset is None:
            self._load_data()
        elif self.model_summary is None:
            self._select_model()

    def _train(self, content: dict[str, Any]) -> None:
        self._ready_model()
        run = self._session.current_model().train(wait=False, **self.values["train"])
        self.report = self.explanation = self.compression = None
        self._follow(run)

    def _evaluate(self, content: dict[str, Any]) -> None:
        self.report = steps.report_of(self._require_run())

    def _deploy(self, content: dict[str, Any]) -> None:
        endpoint = self._require_run(finished=True).deploy(**self.values["deploy"])
        self.prediction = None
        self.row_fields = steps.row_fields(endpoint)
        self.endpoint = steps.endpoint_values(endpoint, endpoint.key)

    def _stop_endpoint(self, content: dict[str, Any]) -> None:
        endpoint = self._session.endpoint(self._endpoint_name()).stop()
        self.endpoint = steps.endpoint_values(endpoint)

    def _predict(self, content: dict[str, Any]) -> None:
        self.prediction = steps.predict(self._session, self._endpoint_name(), content)
        if isinstance(content.get("row"), int):
            self._row = content["row"]
            self._write_lines()

    _SLOW: dict[str, tuple[str, str, Callable[[Any, dict[str, Any]], None]]] = {
        "load_data": ("data", N_("Loading the data"), _load_data),
        "select_model": ("model", N_("Setting up the network"), _select_model),
        "train": ("train", N_("Starting the run"), _train),
        "tune": ("train", N_("Starting the search"), Searching._tune),
        "stop_study": ("train", N_("Stopping the search"), Searching._stop_study),
        "take_best": ("train", N_("Reading the report"), Searching._take_best),
        "evaluate": ("evaluate", N_("Reading the report"), _evaluate),
        "explain": ("evaluate", N_("Looking for what the answer rests on"), _explain),
        "compress": ("deploy", N_("Starting the compression"), _compress),
        "deploy": ("deploy", N_("Starting the endpoint"), _deploy),
        "stop_endpoint": ("deploy", N_("Stopping the endpoint"), _stop_endpoint),
        "predict": ("deploy", N_("Asking the endpoint"), _predict),
    }

    # --- the run in sight -----------------------------------------------------------------------------------------

    def _take_over(self) -> None:
        """Shows what the session holds already, or a run that goes on in the store: nothing is lost with a kernel."""
        if self._session.dataset is not None:
            self._jobs.submit(self._work, "data", "", self._show_loaded)
        run = steps.run_to_show(self._session)
        if run is not None:
            self.step = "train"
            self._follow(run)
        self._take_over_study()

    def _show_loaded(self) -> None:
        self.card = self._card_said(self._session.current_dataset().to_dict())
        self._select_model()

    def _follow(self, run: Run) -> None:
        if self._pusher:
            self._pusher.close()
        self._run = run
        self._pusher = FramePusher(run, self.send, picture=lambda row: sample_picture(run, row))
        self.summary = run.summary.to_page()
        self.run_id = run.id
        self._pusher.hello()
        threading.Thread(target=self._await_end, args=(run,), name=f"lepton-studio-{run.id}", daemon=True).start()

    def _await_end(self, run: Run) -> None:
        summary = run.until_over()
        if self._run is not run:
            return
        self.summary = summary.to_page()
        self.model_summary = steps.with_parameters(self.model_summary, run)
        self._show_variants(run)
        self._show_endpoint(run)
        if run.record.report() is not None:
            self._jobs.submit(self._work, "evaluate", "", lambda: self._evaluate({}))

    def _show_variants(self, run: Run) -> None:
        """The table of a run that was compressed before, or is being compressed."""
        with contextlib.suppress(RunError):
            self._follow_variants(run.compression)

    def _show_endpoint(self, run: Run) -> None:
        """The endpoint that was made of a run before, here or in a page that was closed."""
        with contextlib.suppress(LeptonError):
            found = None if self.endpoint else steps.endpoint_of(self._session, run)
            if found:
                self.row_fields = steps.row_fields(found)
                self.endpoint = steps.endpoint_values(found)

    def _follow_variants(self, compression: Compression) -> None:
        self.compression = self._variants_said(compression.table.to_dict())
        if compression.state in ACTIVE:
            threading.Thread(target=self._watch_variants, args=(compression,), daemon=True).start()

    def _watch_variants(self, compression: Compression) -> None:
        compression.wait(watch=lambda table: self.set_trait("compression", self._variants_said(table.to_dict())))
        self.compression = self._variants_said(compression.table.to_dict())

    def _require_run(self, *, finished: bool = False) -> Run:
        if self._run is None:
            raise RunError("There is no run yet; train first.")
        if finished and self._run.state != "finished":
            raise RunError(f"{self._run.id} is {self._run.state}; it can be put online when it has finished.")
        return self._run

    def _endpoint_name(self) -> str | None:
        return self.endpoint["name"] if self.endpoint else None

    def _write_lines(self) -> None:
        model = self._session.model
        own = model is not None and model.spec.source is not None and model.name == self.values["model"].get("name")
        source = model.spec.source if own and model is not None else None
        self.lines = forms.lines(self.values, source=source, row=self._row)

    # --- errors ---------------------------------------------------------------------------------------------------

    def _work(self, step: str, doing: str, do: Callable[[], None]) -> None:
        self.busy = self._say(doing)
        try:
            self._guarded(step, do)
        finally:
            self.busy = ""

    def _guarded(self, step: str, do: Callable[[], None]) -> None:
        try:
            self.error = None
            do()
        except LeptonError as error:
            self.error = {"step": step if step in forms.STEPS else "data", "message": self._say(str(error))}
        except Exception as error:
            self.error = {
                "step": step,
                "message": self._say(N_(f"Something broke inside lepton_lab: {type(error).__name__}: {error}")),
            }
            raise
