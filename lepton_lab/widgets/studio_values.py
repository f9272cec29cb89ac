"""The values of the studio's form: what each section may hold, and the lines that they stand for.

A page is not trusted: a section is validated by its spec before anything acts on it, a network's source never comes
from a page, and a public studio (a dashboard for other people) takes named datasets and loopback endpoints only.
"""

from __future__ import annotations

from typing import Any

from lepton_lab.errors import SpecError
from lepton_lab.specs import MODEL_OPTIONS, NETWORK_CARDS, DataSpec, DeploySpec, ModelSpec, Spec, TrainSpec, TuneSpec
from lepton_lab.specs.search import NOT_SEARCHED
from lepton_lab.verbs import python_for, write
from lepton_lab.words import say, speaking

SECTIONS = ("data", "model", "train", "tune", "deploy")
STEPS = ("data", "model", "train", "evaluate", "deploy")
_SPECS: dict[str, type[Spec]] = {"data": DataSpec, "train": TrainSpec, "tune": TuneSpec, "deploy": DeploySpec}
_CLOSED_FIELDS = {
    "data": ("mirror", "fingerprint", "connection", "query", "parameters", "label_table"),
    "deploy": ("host", "allow_remote"),
}
"""Fields that a public studio neither shows nor takes."""
TRIALS_PLACE = ("cluster", "gpus_per_worker")
"""Options of training that stand in the form of a search, too: where its trials work."""


def schemas(*, public: bool) -> dict[str, Any]:
    """JSON schemas of the sections; under "model" one for each network."""
    found: dict[str, Any] = {name: spec.model_json_schema() for name, spec in _SPECS.items()}
    train = found["train"]["properties"]
    found["tune"]["properties"] |= {name: train[name] for name in TRIALS_PLACE}
    found["model"] = {name: spec.model_json_schema() for name, spec in MODEL_OPTIONS.items()}
    if public:
        for section, fields in _CLOSED_FIELDS.items():
            for field in fields:
                found[section]["properties"].pop(field, None)
    return found


def choices(*, public: bool) -> dict[str, Any]:
    """What the pickers offer: the known datasets, the networks and what rows they suit."""
    from lepton_lab.data import DATASETS

    return {
        "datasets": [info.to_dict() for info in DATASETS.values()],
        "models": [
            {
                "name": name,
                "title": card.options.__doc__ or name,
                "modalities": card.modalities,
                "suits": sorted(f"{task} {modality}" for task, modality in card.suits),
            }
            for name, card in NETWORK_CARDS.items()
        ],
        "paths": not public,
        "help": {"zh": _helps("zh")},
        "search": [] if public else [name for name in TrainSpec.model_fields if name not in NOT_SEARCHED],
    }


def _helps(language: str) -> dict[str, str]:
    """Every option's line of help in a language, under the English one."""
    specs = (*_SPECS.values(), *MODEL_OPTIONS.values())
    helps = [field.description or "" for spec in specs for field in spec.model_fields.values()]
    with speaking(language):
        return {help: say(help) for help in helps if help}


def checked(section: Any, values: Any, *, public: bool) -> dict[str, Any]:
    """A section's values, validated; unset ones left out.

    Raises:
        SpecError: If there is no such section, or a value is wrong or not allowed here.
    """
    if section not in SECTIONS or not isinstance(values, dict):
        raise SpecError(f"The form has no section {section!r}; known are {', '.join(SECTIONS)}.")
    values = {key: value for key, value in values.items() if value is not None}
    if section == "model":
        return _checked_model(values)
    if public:
        _refuse_closed(section, values)
    place = {name: value for name, value in values.items() if section == "tune" and name in TRIALS_PLACE}
    spec = _SPECS[section].parse({name: value for name, value in values.items() if name not in place})
    given = {**spec.given(), **TrainSpec.parse(place).given()}
    return {"name": values.get("name", "digits"), **given} if section == "data" else given


def _checked_model(values: dict[str, Any]) -> dict[str, Any]:
    spec = ModelSpec.parse({key: values[key] for key in ("name", "options") if key in values})
    return {"name": spec.name, "options": spec.typed_options().given()}


def _refuse_closed(section: str, values: dict[str, Any]) -> None:
    from lepton_lab.data import known_names

    for field in _CLOSED_FIELDS.get(section, ()):
        if field in values:
            raise SpecError(f"{section}: {field} cannot be set in a dashboard.")
    if section == "data" and values.get("name", "digits") not in known_names():
        raise SpecError(f"data: a dashboard takes the known datasets: {', '.join(known_names())}.")


def lines(values: dict[str, Any], *, source: str | None, row: int) -> dict[str, dict[str, str]]:
    """For each step the `%lepton` line and the Python that the form stands for.

    Args:
        values: The sections' values.
        source: The source of a network of one's own, if that is what is selected.
        row: The test row that the deploy step asks about.
    """
    model = {"name": values["model"].get("name", "cnn"), **values["model"].get("options", {})}
    endpoint = values["deploy"].get("name", DeploySpec().name)
    written = {
        "data": _line("data", {"name": "digits", **values["data"]}),
        "model": _line("model", model, cell=source),
        "train": _line("train", values["train"]),
        "tune": _line("tune", _fixed(values["train"], values["tune"])),
        "evaluate": _line("evaluate", {}),
        "deploy": _line("deploy", values["deploy"]),
        "predict": _line("predict", {"endpoint": endpoint, "row": row}),
    }
    return written


def _fixed(train: dict[str, Any], tune: dict[str, Any]) -> dict[str, Any]:
    """A search with the options of training that all trials have alike; the name is that of one run."""
    return {**tune, **{name: value for name, value in train.items() if name != "name" and name not in tune}}


def _line(verb: str, values: dict[str, Any], *, cell: str | None = None) -> dict[str, str]:
    percent = "%lepton" if cell is None else "%%lepton"
    return {"magic": f"{percent} {write(verb, values, cell=cell)}", "python": python_for(verb, values, cell=cell)}
