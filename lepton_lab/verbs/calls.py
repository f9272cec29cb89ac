"""The session call of each verb: (session, values of the line, cell) -> the object to show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lepton_lab.errors import SpecError, UnknownName
from lepton_lab.words import LANGUAGES, keep
from lepton_lab.words import language as current_language

if TYPE_CHECKING:
    from lepton_lab.session import Asked, Run, Session

Values = dict[str, Any]


def data(session: Session, values: Values, cell: str | None) -> Any:
    """Loads a dataset."""
    return session.load_data(values.pop("name"), **values)


def model(session: Session, values: Values, cell: str | None) -> Any:
    """Selects a network, by name or by the code in the cell."""
    name, class_name = values.pop("name", None), values.pop("class_name", None)
    if cell is not None:
        return session.select_source(cell, name=name, class_name=class_name, **values)
    return session.select_model(name, **values)


def summary(session: Session, values: Values, cell: str | None) -> Any:
    """The selected network on paper."""
    return session.current_model().summary(**values)


def train(session: Session, values: Values, cell: str | None) -> Any:
    """Loads `--data` and selects `--model` first, where the line names them."""
    _take_sources(session, values, "train")
    return session.current_model().train(**values)


def tune(session: Session, values: Values, cell: str | None) -> Any:
    """Searches for options; takes `--data` and `--model` as `train` does."""
    _take_sources(session, values, "tune")
    return session.tune(**values)


def _take_sources(session: Session, values: Values, verb: str) -> None:
    """Takes the options of the dataset and the network out of a line's values, and loads and selects them."""
    sources: dict[str, Values] = {"data": {}, "model": {}}
    for key in list(values):
        owner, _, option = key.partition("_")
        if owner in sources:
            sources[owner][option or "name"] = values.pop(key)
    for owner, options in sources.items():
        if options and "name" not in options:
            first = next(iter(options)).replace("_", "-")
            raise SpecError(f"{verb}: --{owner}-{first} needs --{owner} NAME in the same line.")
    if sources["data"]:
        session.load_data(sources["data"].pop("name"), **sources["data"])
    if sources["model"]:
        session.select_model(sources["model"].pop("name"), **sources["model"])
    elif sources["data"] is not None and session.model_is_for_other_data():
        session.select_model()


def evaluate(session: Session, values: Values, cell: str | None) -> Any:
    """The report of a run."""
    return session.run(values.get("run")).evaluate()


def compress(session: Session, values: Values, cell: str | None) -> Any:
    """Makes a run's variants, or shows those that are there."""
    run = session.run(values.pop("run", None))
    return run.compression if values.pop("show", False) else run.compress(**values)


def deploy(session: Session, values: Values, cell: str | None) -> Any:
    """Puts a run online."""
    return session.run(values.pop("run", None)).deploy(**values)


def rollback(session: Session, values: Values, cell: str | None) -> Any:
    """Goes back to an earlier version."""
    return session.endpoint(values.get("endpoint")).rollback(values.get("version"))


def usage(session: Session, values: Values, cell: str | None) -> Any:
    """Who has asked how much; also as a file."""
    found = session.endpoint(values.get("endpoint")).usage()
    if "csv" in values:
        found.to_csv(values["csv"])
    return found


def predict(session: Session, values: Values, cell: str | None) -> Any:
    """Asks an endpoint."""
    return session.endpoint(values.pop("endpoint", None)).predict(**values)


def run(session: Session, values: Values, cell: str | None) -> Any:
    """One run."""
    return session.run(values.get("run"))


def stop(session: Session, values: Values, cell: str | None) -> Any:
    """A run by its name, else an endpoint; one name for both needs `--endpoint` to mean the endpoint."""
    name = values.get("name")
    if values.get("endpoint"):
        return session.endpoint(name).stop()
    if name is None or session.has_run(name) or not session.has_endpoint(name):
        hard = values.get("hard", False)
        return _asked(session.active_run(name).stop(hard=hard), "end at once" if hard else "stop")
    return session.endpoint(name).stop()


def pause(session: Session, values: Values, cell: str | None) -> Any:
    """Pauses the run that goes on."""
    return _asked(session.active_run(values.get("run")).pause(), "pause")


def resume(session: Session, values: Values, cell: str | None) -> Any:
    """Goes on with a run that was paused, stopped or failed."""
    run = session.run(values.get("run"))
    again = run.ended
    run.resume()
    return run if again else _asked(run, "go on")


def set_options(session: Session, values: Values, cell: str | None) -> Any:
    """Changes the learning rate."""
    if "learning_rate" not in values:
        raise SpecError("set: nothing to change; type %lepton set --learning-rate 0.002.")
    rate = values["learning_rate"]
    return _asked(session.active_run(values.get("run")).set_learning_rate(rate), f"go on with learning rate {rate:g}")


def _asked(run: Run, what: str) -> Asked:
    from lepton_lab.session import Asked

    return Asked(run, what)


def studies(session: Session, values: Values, cell: str | None) -> Any:
    """The studies."""
    return session.studies()


def show_study(session: Session, values: Values, cell: str | None) -> Any:
    """One study."""
    return session.study(values.get("study"))


def stop_study(session: Session, values: Values, cell: str | None) -> Any:
    """Ends a study."""
    return session.study(values["study"]).stop()


def endpoints(session: Session, values: Values, cell: str | None) -> Any:
    """The endpoints."""
    return session.endpoints()


def status(session: Session, values: Values, cell: str | None) -> Any:
    """What is loaded, running and online."""
    return session.status()


def language(session: Session, values: Values, cell: str | None) -> Any:
    """The reader's language; sets it where one is named."""
    from lepton_lab.session import Said

    name = values.get("name")
    if name is not None and name not in (*LANGUAGES, "auto"):
        raise UnknownName("language", name, [*LANGUAGES, "auto"])
    if name is not None:
        keep(None if name == "auto" else name)
    return Said(f"The language is {LANGUAGES[current_language()]}.", {"language": current_language()})


def studio(session: Session, values: Values, cell: str | None) -> Any:
    """The form for all steps."""
    return session.studio()
