"""What the studio's steps do with a session, without any widget: plain values in, plain values out."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from lepton_lab.errors import DataError, RunError, SpecError
from lepton_lab.session import Endpoint, Model, Prediction, Run, Session
from lepton_lab.session.sketch import Sketch
from lepton_lab.specs import networks_for
from lepton_lab.widgets.cards import clients_of
from lepton_lab.widgets.drawn import picture_of
from lepton_lab.widgets.reports import mistakes_with_pictures

MAX_PICTURE_BYTES = 10_000_000


def first_values(session: Session) -> dict[str, Any]:
    """The form as it opens: what the session holds, else digits with the network that suits it."""
    dataset, model = session.dataset, session.model
    data = {"name": "digits"}
    if dataset is not None:
        data = {"name": dataset.spec.name, **dataset.spec.given()}
    network = model_values(model) if model is not None else {"name": "cnn", "options": {}}
    return {"data": data, "model": network, "train": {}, "tune": {}, "deploy": {}}


def data_arguments(values: dict[str, Any]) -> dict[str, Any]:
    """The data section as arguments of `load_data`."""
    return {"source": values.get("name", "digits"), **{k: v for k, v in values.items() if k != "name"}}


def model_values(model: Model) -> dict[str, Any]:
    """The model section that a selected model stands for."""
    options = model.spec.options if model.spec.source else model.spec.typed_options().given()
    return {"name": model.name, "options": dict(options)}


def select(session: Session, values: dict[str, Any]) -> Model:
    """Selects the form's network; a network of one's own stays selected as long as the form names it.

    Where the form names a built-in network that cannot read the dataset's rows, and the person has not touched its
    options, the one that suits is taken.
    """
    own = session.model
    if own is not None and own.spec.source is not None and own.name == values.get("name"):
        return session.keep_model()
    dataset = session.current_dataset()
    name, options = values.get("name", "cnn"), values.get("options", {})
    suiting = networks_for(dataset.prepared.problem)
    if not options and name == "cnn" and suiting and name not in suiting:
        name = suiting[0]
    return session.select_model(name, **options)


def describe(model: Model) -> dict[str, Any]:
    """The selected network, for the model step."""
    return {
        **model.to_dict(),
        "name": model.name,
        "input_shape": list(model.dataset.input_shape),
        "num_classes": len(model.dataset.classes),
        "num_parameters": None,
    }


def with_parameters(summary: dict[str, Any] | None, run: Run) -> dict[str, Any] | None:
    """The network's description with its number of parameters, which a run's start says."""
    started = [event for event in run.record.events() if event["type"] == "RunStarted"]
    if summary is None or not started:
        return summary
    return {**summary, "num_parameters": started[-1].get("num_parameters")}


def with_sketch(summary: dict[str, Any] | None, sketch: Sketch) -> dict[str, Any] | None:
    """The network's description with its layers, parameters and memory."""
    if summary is None:
        return None
    drawn = sketch.to_dict()
    names = ("num_parameters", "num_flops", "parameter_bytes", "training_bytes", "batch_size", "layers")
    return {**summary, **{name: drawn[name] for name in names if name in drawn}}


def row_fields(endpoint: Endpoint) -> list[dict[str, Any]]:
    """What an endpoint for a table asks of a row: for each column its kind, its choices where they are few, an example.

    Empty for an endpoint that takes pictures, sounds, texts or series.
    """
    from lepton_lab.serving.about import choices_of

    bundle = endpoint.bundle()
    choices, example = choices_of(bundle), bundle.manifest.example
    row = example if isinstance(example, dict) else {}
    return [
        {
            "name": column.name,
            "kind": column.kind,
            "choices": choices.get(column.name, []),
            "example": row.get(column.name),
        }
        for column in getattr(bundle.preparation, "columns", ())
    ]


def endpoint_values(endpoint: Endpoint, key: str | None = None) -> dict[str, Any]:
    """An endpoint for the page: state, usage, code that asks it, and its key where it is new."""
    rows = sum(each["rows"] for each in endpoint.usage().to_dict()["keys"])
    return {**endpoint.summary.to_page(), "rows": rows, "clients": clients_of(endpoint), "key_shown_once": key}


def endpoint_of(session: Session, run: Run) -> Endpoint | None:
    """The endpoint that answers with a run's network; None where there is none."""
    ready = [each for each in session.endpoints().summaries if each.run_id == run.id and str(each.state) == "ready"]
    return session.endpoint(ready[0].name) if ready else None


def explanation(run: Run, row: Any) -> dict[str, Any]:
    """What the run's answer to a test row rests on, with the row's picture where it is one.

    Raises:
        RunError: If there is no such row, or such answers are not explained.
    """
    from lepton_lab.serving.waiting import bundle_of_run
    from lepton_lab.widgets.explain import explain

    if not isinstance(row, int) or isinstance(row, bool):
        raise SpecError(f"row is {row!r}; expected the number of a test row.")
    prepared = run.dataset.prepared
    found = {"row": row, **explain(bundle_of_run(run.record.store, run.id), prepared, row)}
    if prepared.modality == "image":
        found["picture"] = "data:image/png;base64," + base64.b64encode(prepared.sample_png("test", row)).decode()
    return found


def run_to_show(session: Session) -> Run | None:
    """The session's last run, else one that goes on in the store, else none."""
    try:
        return session.own_run() or session.active_run()
    except RunError:
        return None


def report_of(run: Run) -> dict[str, Any]:
    """A run's report with pictures of its mistakes; does not wait.

    Raises:
        RunError: If there is none yet.
    """
    if run.record.report() is None:
        if run.ended:
            raise RunError(f"{run.id} is {run.state} and has no report; resume it and let it finish.")
        raise RunError(f"{run.id} is still {run.state}; its report comes when it has finished.")
    report = run.evaluate()
    return {**report.to_dict(), "mistakes": mistakes_with_pictures(report)}


def predict(session: Session, endpoint: str | None, content: dict[str, Any]) -> dict[str, Any]:
    """Asks an endpoint about a test row, or about a picture, a text or a table's row that the page sent.

    Raises:
        SpecError: If the message holds neither.
        DataError: If the picture is too large or no base64.
    """
    online = session.endpoint(endpoint)
    if isinstance(content.get("image"), str):
        return _plain(online.predict_picture(_picture(content["image"])))
    if isinstance(content.get("text"), str):
        return _plain(online.predict([content["text"]])[0])
    if isinstance(content.get("values"), dict):
        return _plain(online.predict([content["values"]])[0])
    row = content.get("row", 0)
    if not isinstance(row, int) or isinstance(row, bool):
        raise SpecError(f"row is {row!r}; expected the number of a test row.")
    answer = online.predict(row=row)
    if not isinstance(answer, Prediction):
        raise SpecError("One row has one answer.")
    return _plain(answer)


def _picture(text: str) -> bytes:
    if len(text) > MAX_PICTURE_BYTES * 4 // 3:
        raise DataError(f"The picture is larger than {MAX_PICTURE_BYTES // 1_000_000} MB; send a smaller one.")
    try:
        return base64.b64decode(text.rpartition(",")[2], validate=True)
    except binascii.Error:
        raise DataError("The picture did not arrive whole; choose the file again.") from None


def _plain(prediction: Prediction) -> dict[str, Any]:
    picture = picture_of(prediction)
    shown = None if picture is None else "data:image/png;base64," + base64.b64encode(picture).decode()
    return {**prediction.to_dict(), "label": prediction.said, "picture": shown}
