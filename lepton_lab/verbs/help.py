"""The help of a verb, and the short help of all of them, as plain text."""

from __future__ import annotations

from lepton_lab.verbs.line import Request
from lepton_lab.verbs.options import Option
from lepton_lab.verbs.table import VERBS, options_for
from lepton_lab.verbs.verb import Verb
from lepton_lab.words import N_, _, columns, left, wrap

WIDTH = 100
_COLUMN = 30
_GROUPS = {"simple": N_("Options"), "source": N_("Data and model in the same line"), "advanced": N_("Advanced")}
_EXAMPLES = {
    "data": ("digits", "measurements.csv --target species", "photos/ --image-size 64"),
    "model": ("cnn --channels 16", "rnn --cell gru --no-bidirectional"),
    "train": ("--epochs 20", "--epochs 5 --learning-rate 0.01 --optimizer sgd"),
    "compress": ("", "--recipes prune+share,static-int8 --target fastest --max-loss 0.5", "digits-cnn-1 --show"),
    "deploy": ("--name digits", "digits-cnn-1 --variant chosen --name small"),
    "predict": ("digits --row 0",),
    "set": ("--learning-rate 0.002",),
    "runs": ("--state finished --sort test_metric --limit 5", "--search 'digits baseline'"),
    "runs tag": ("digits-cnn-1 baseline paper",),
    "runs gc": ("--older-than-days 30", "--apply"),
    "fork": ("digits-cnn-1 --learning-rate 0.01", "digits-cnn-1 --step 400 --model-dropout 0.3"),
    "continue": ("digits-cnn-1 --epochs 10",),
    "compare": ("digits-cnn-1 digits-cnn-2 --sort val_accuracy --descending",),
    "queue": ("", "digits-cnn-3 --priority 5", "digits-cnn-3 --place 1"),
    "stop": ("digits-cnn-1", "digits --endpoint"),
}


def overview(prefix: str = "%lepton", *, notebook: bool = True) -> str:
    """One line for each verb, and the way through them."""
    verbs = [verb for verb in VERBS.values() if notebook or not verb.needs_notebook]
    lines = [f"  {prefix} {verb.name:<14}{_(verb.help)}" for verb in verbs]
    example = ("data digits", "model cnn", "train --epochs 20", "evaluate", "deploy --name digits", "predict --row 0")
    way = "\n".join(f"  {prefix} {words}" for words in example) if notebook else f"  {prefix} demo"
    hint = _(f"Options of a verb: {prefix} train --help")
    return "\n".join([*lines, "", hint, _("From data to an endpoint:"), way])


def help_for(request: Request, prefix: str = "%lepton") -> str:
    """The help of one verb; for `model` it is about the network that was named."""
    verb = request.verb
    name = str(request.values.get("name", ""))
    options = options_for(verb, [name] if name else []) or verb.options
    words = " ".join(positional.usage for positional in verb.positionals)
    parts = [" ".join(filter(None, [f"{prefix} {verb.name}", words, _("[options]") if options else ""])), ""]
    parts += wrap(_(verb.help), WIDTH)
    if verb.positionals:
        parts += ["", *(_row(p.name.upper(), _(p.help)) for p in verb.positionals)]
    for group, title in _GROUPS.items():
        rows = [_option_row(option) for option in options if option.group == group]
        if rows:
            parts += ["", _(title), *rows]
    parts += _more(verb, name, prefix)
    return "\n".join(parts)


def _more(verb: Verb, name: str, prefix: str) -> list[str]:
    lines = []
    if verb.name == "model" and not name:
        lines = ["", _(f"Each network has options of its own: {prefix} model cnn --help (rnn, mlp).")]
        if prefix.startswith("%"):
            own = _("A network of your own: its class's name, or its code in a cell below %%lepton model NAME.")
            lines.append(own)
    if verb.hidden:
        lines += ["", _(f"Options of `{prefix} data` and `{prefix} model` work here as --data-... and --model-....")]
    examples = [f"  {prefix} {verb.name} {words}" for words in _EXAMPLES.get(verb.name, ())]
    return [*lines, "", _("Examples"), *examples] if examples else lines


def _option_row(option: Option) -> str:
    if option.kind is bool:
        return _row(f"{option.flag} / {option.off_flag}", _(option.help) + _default(option))
    value = "|".join(option.choices) if option.choices else (_(option.unit) if option.unit else _WORDS[option.kind])
    return _row(f"{option.flag} {value}", _(option.help) + _default(option))


_WORDS = {int: "N", float: "X", str: "TEXT"}


def _default(option: Option) -> str:
    if option.default is None or option.default == "" or "default" in option.help:
        return ""
    value = (_("yes") if option.default else _("no")) if option.kind is bool else option.default
    said = _(f"(default {value})")
    return said if said.startswith("（") else f" {said}"


def _row(name: str, help: str) -> str:
    lines = wrap(help, WIDTH - _COLUMN) or [""]
    fits = columns(name) <= _COLUMN - 3
    first = f"  {left(name, _COLUMN - 3)} {lines[0]}" if fits else f"  {name}"
    rest = lines[1:] if fits else lines
    return "\n".join([first.rstrip(), *(" " * _COLUMN + line for line in rest)])
