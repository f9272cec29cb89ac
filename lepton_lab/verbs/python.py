"""Writes the Python that a verb's values stand for: what was clicked or typed as magic can be kept as code."""

from __future__ import annotations

from typing import Any


def python_for(verb: str, values: dict[str, Any], *, cell: str | None = None) -> str:
    """The Python lines for a verb with these values.

    They use the names `data`, `model`, `run` and `endpoint`, so that the lines of a job can stand below each other.
    """
    values = {name: value for name, value in values.items() if value is not None}
    writer = _WRITERS.get(verb, _plain)
    return writer(verb, values, cell)


def literal(value: Any) -> str:
    """A value as Python source, with double quotes where they do."""
    if isinstance(value, str):
        text = repr(value)
        return f'"{text[1:-1]}"' if text[0] == "'" and '"' not in text else text
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(k)}: {literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    return repr(value)


def call(function: str, *positionals: str, **keywords: Any) -> str:
    """`function(a, b, key=value)`; positionals are source already, keywords are values."""
    return f"{function}({', '.join([*positionals, *(f'{k}={literal(v)}' for k, v in keywords.items())])})"


def _data(verb: str, values: dict[str, Any], cell: str | None) -> str:
    options = {name: value for name, value in values.items() if name != "name"}
    return "data = " + call("lepton.load_data", literal(values.get("name", "digits")), **options)


def _model(verb: str, values: dict[str, Any], cell: str | None) -> str:
    options = {name: value for name, value in values.items() if name not in ("name", "class_name")}
    if cell is None:
        name = [literal(values["name"])] if "name" in values else ["None"]
        return "model = " + call("lepton.select_model", *name, "data", **options)
    network = values.get("class_name") or values.get("name", "Network")
    return f"{cell.rstrip()}\n\nmodel = " + call("lepton.select_model", str(network), "data", **options)


def _train(verb: str, values: dict[str, Any], cell: str | None) -> str:
    """For `train` and `tune`, which both may name their dataset and network."""
    lines, parts = [], {"data": {}, "model": {}}  # type: tuple[list[str], dict[str, dict[str, Any]]]
    plain = {}
    for name, value in values.items():
        owner, _, rest = name.partition("_")
        if name in parts:
            parts[name]["name"] = value
        elif owner in parts:
            parts[owner][rest] = value
        else:
            plain[name] = value
    if parts["data"]:
        lines.append(_data("data", parts["data"], None))
    if parts["model"] or parts["data"]:
        lines.append(_model("model", parts["model"], None))
    return "\n".join([*lines, ("study = " if verb == "tune" else "run = ") + call(f"model.{verb}", **plain)])


def _study(verb: str, values: dict[str, Any], cell: str | None) -> str:
    subject = call("lepton.study", *([literal(values["study"])] if "study" in values else []))
    return f"{subject}.stop()" if verb == "studies stop" else subject


def _summary(verb: str, values: dict[str, Any], cell: str | None) -> str:
    return call("model.summary", **values)


def _of_run(verb: str, values: dict[str, Any], cell: str | None) -> str:
    options = {name: value for name, value in values.items() if name != "run"}
    subject = call("lepton.run", literal(values["run"])) if "run" in values else "run"
    result = {"evaluate": "report = ", "compress": "variants = ", "deploy": "endpoint = "}.get(verb, "")
    return result + call(f"{subject}.{verb}", **options)


def _compress(verb: str, values: dict[str, Any], cell: str | None) -> str:
    if not values.get("show"):
        return _of_run(verb, {name: value for name, value in values.items() if name != "show"}, cell)
    subject = call("lepton.run", literal(values["run"])) if "run" in values else "run"
    return f"variants = {subject}.compression"


def _set(verb: str, values: dict[str, Any], cell: str | None) -> str:
    subject = call("lepton.run", literal(values["run"])) if "run" in values else "run"
    return call(f"{subject}.set_learning_rate", literal(values.get("learning_rate")))


def _show_run(verb: str, values: dict[str, Any], cell: str | None) -> str:
    return "run = " + call("lepton.run", *([literal(values["run"])] if "run" in values else []))


def _stop(verb: str, values: dict[str, Any], cell: str | None) -> str:
    options = {"hard": True} if values.get("hard") else {}
    if values.get("endpoint"):
        return call("lepton.endpoint", literal(values.get("name", "default"))) + ".stop()"
    subject = call("lepton.run", literal(values["name"])) if "name" in values else "run"
    return call(f"{subject}.stop", **options)


def _predict(verb: str, values: dict[str, Any], cell: str | None) -> str:
    options = {name: value for name, value in values.items() if name != "endpoint"}
    subject = call("lepton.endpoint", literal(values["endpoint"])) if "endpoint" in values else "endpoint"
    return call(f"{subject}.{verb}", **options)


def _usage(verb: str, values: dict[str, Any], cell: str | None) -> str:
    asked = _predict(verb, {name: value for name, value in values.items() if name == "endpoint"}, cell)
    return f"{asked}.to_csv({literal(values['csv'])})" if "csv" in values else asked


def _plain(verb: str, values: dict[str, Any], cell: str | None) -> str:
    function = {"runs": "list_runs", "endpoints": "list_endpoints", "runs gc": "free_space"}.get(verb, verb)
    return call(f"lepton.{function}", **values)


_METHODS = {
    "runs show": "details",
    "runs rename": "rename",
    "runs tag": "tag",
    "runs note": "note",
    "runs pin": "pin",
    "runs delete": "delete",
    "runs move": "move",
    "runs trust": "trust",
    "runs verify": "verify",
    "continue": "train_longer",
}
"""The method of a run that a verb stands for, where it is called otherwise."""
_WORDS = ("title", "tags", "text", "folder")
"""Values that are written as positional arguments."""


def _kept(verb: str, values: dict[str, Any], cell: str | None) -> str:
    subject = call("lepton.run", literal(values["run"])) if "run" in values else "run"
    words = [literal(values[name]) for name in _WORDS if name in values]
    if verb == "runs rename" and not words:
        words = ["None"]
    elif verb == "runs note" and not words:
        words = ['""']
    options = {name: value for name, value in values.items() if name not in ("run", *_WORDS)}
    if verb == "continue":
        options = {"epochs": 10} | options
    result = "run = " if verb in ("retry", "continue") else ""
    return result + call(f"{subject}.{_METHODS.get(verb, verb)}", *words, **options)


def _fork(verb: str, values: dict[str, Any], cell: str | None) -> str:
    parts: dict[str, dict[str, Any]] = {"data": {}, "model": {}}
    plain = {}
    for name, value in values.items():
        owner, _, rest = name.partition("_")
        if owner in parts and rest:
            parts[owner][rest] = value
        elif name != "run":
            plain[name] = value
    subject = call("lepton.run", literal(values["run"])) if "run" in values else "run"
    nested = {name: options for name, options in parts.items() if options}
    return "run = " + call(f"{subject}.fork", **plain, **nested)


def _several(verb: str, values: dict[str, Any], cell: str | None) -> str:
    options = {name: value for name, value in values.items() if name != "runs"}
    function = {"compare": "compare", "runs export": "export_runs"}[verb]
    return call(f"lepton.{function}", literal(list(values.get("runs", []))), **options)


def _import(verb: str, values: dict[str, Any], cell: str | None) -> str:
    options = {name: value for name, value in values.items() if name != "folder"}
    return "run = " + call("lepton.import_run", literal(values.get("folder", "run-folder")), **options)


def _queue(verb: str, values: dict[str, Any], cell: str | None) -> str:
    return _kept(verb, values, cell) if "run" in values else call("lepton.queue")


_WRITERS = {
    "data": _data,
    "model": _model,
    "train": _train,
    "tune": _train,
    "studies show": _study,
    "studies stop": _study,
    "summary": _summary,
    "evaluate": _of_run,
    "compress": _compress,
    "deploy": _of_run,
    "pause": _of_run,
    "resume": _of_run,
    "run": _show_run,
    "stop": _stop,
    "set": _set,
    "predict": _predict,
    "rollback": _predict,
    "usage": _usage,
    **dict.fromkeys(_METHODS, _kept),
    "checkpoint": _kept,
    "retry": _kept,
    "fork": _fork,
    "compare": _several,
    "runs export": _several,
    "runs import": _import,
    "queue": _queue,
}
