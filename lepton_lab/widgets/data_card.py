"""The card of a dataset as HTML: what it is, what to know before training, and a dozen real rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lepton_lab.session import Dataset
from lepton_lab.session.texts import count
from lepton_lab.widgets.html import Markup, apart, bar, card, chip, facts, figures, join, note, table, tag
from lepton_lab.widgets.picture import spark_svg
from lepton_lab.words import _, heads, say

MAX_CLASSES = 20
MAX_COLUMNS = 8
MAX_LISTED_COLUMNS = 60
MAX_TEXT = 280
_TONE_OF = {"error": "bad", "warning": "warn", "note": ""}


def data_card(dataset: Dataset) -> Markup:
    """Counts, task, warnings, sample rows, the balance of the classes or the spread of the targets, and the columns."""
    values = dataset.card.to_dict()
    parts = [
        figures(_counts(values)),
        facts(_facts(values)),
        *(note(say(warning["message"]), tone=_TONE_OF.get(warning["severity"], "")) for warning in values["warnings"]),
        tag("h4", _("Samples")),
        samples(values["samples"]),
        _balance(values["classes"]) if values["classes"] else "",
        _spread(values["targets"]) if values["targets"] else "",
        _columns(values["columns"]) if values["columns"] else "",
    ]
    terms = _(f"licence {values['licence']}") if values.get("licence") else ""
    return card(
        values["title"], *parts, aside=terms, chip=chip(_(values["modality"])), label=_(f"Dataset {dataset.name}")
    )


def _counts(values: dict[str, Any]) -> list[tuple[str, Any]]:
    rows = values["rows"]
    pairs = list(
        zip(
            heads("training rows", "validation", "test"), (rows["train"], rows["validation"], rows["test"]), strict=True
        )
    )
    if values["classes"]:
        pairs.append((_("classes"), len(values["classes"])))
    elif values["targets"]:
        pairs.append((_("targets"), len(values["targets"])))
    shape = " x ".join(map(str, values["input_shape"]))
    return [*((name, count(number)) for name, number in pairs), (_("one row"), shape)]


def _facts(values: dict[str, Any]) -> list[tuple[str, Any]]:
    task = _(values["task"]) + (f" ({say(values['task_reason'])})" if values.get("task_reason") else "")
    named = {
        _("task"): task,
        _("missing values"): count(values["missing_values"]) if values["columns"] else "",
        **{_(name.replace("_", " ")): _plain(value) for name, value in values["details"].items()},
        _("source"): values.get("source"),
        _("to be cited"): values.get("citation"),
    }
    return [(name, value) for name, value in named.items() if value]


def _plain(value: Any) -> str:
    return count(value) if isinstance(value, int) and not isinstance(value, bool) else str(value)


def samples(items: Sequence[dict[str, Any]]) -> Markup:
    """Rows as a person sees them: pictures, sounds that play, sentences, small lines, or values by column."""
    if items and "values" in items[0]:
        return _sample_rows(items)
    if items and "text" in items[0]:
        return tag("ul", *(_sentence(item) for item in items), cls="lepton-texts")
    figures_ = [
        tag("figure", _picture(item), _player(item), tag("figcaption", item["label"]), cls="lepton-sample")
        for item in items
    ]
    wide = any(key in item for item in items for key in ("audio", "boxes", "ahead"))
    return tag("div", *figures_, cls="lepton-samples lepton-wide" if wide else "lepton-samples")


def _sentence(item: dict[str, Any]) -> Markup:
    text = item["text"]
    shown = text if len(text) <= MAX_TEXT else text[:MAX_TEXT].rstrip() + " …"
    return tag("li", chip(item["label"]) if item["label"] else "", tag("span", shown, title=text[:2000]))


def _player(item: dict[str, Any]) -> Markup:
    """Buttons that play a sound."""
    sound = item.get("audio", "")
    if not sound.startswith("data:audio/wav;base64,"):
        return Markup("")
    return tag("audio", src=sound, controls="controls", preload="none", aria_label=f"a sample of class {item['label']}")


def _picture(item: dict[str, Any]) -> Markup:
    picture = item.get("image", "")
    if picture.startswith("data:image/png;base64,"):
        return tag("img", src=picture, alt=f"a sample of class {item['label']}")
    steps = [row[0] if isinstance(row, list) else row for row in [*item.get("series", []), *item.get("ahead", [])]]
    width, height = (180, 64) if "ahead" in item else (60, 52)
    return Markup(spark_svg([float(step) for step in steps], width=width, height=height))


def _sample_rows(items: Sequence[dict[str, Any]]) -> Markup:
    columns = list(items[0]["values"])[:MAX_COLUMNS]
    more = len(items[0]["values"]) - len(columns)
    head = [_("label"), *columns, *([_(f"and {more} more")] if more > 0 else [])]
    rows = [
        [item["label"], *(_cell(item["values"].get(column)) for column in columns), *([""] if more > 0 else [])]
        for item in items
    ]
    return table(head, rows, _("Sample rows"))


def _cell(value: Any) -> str:
    if value is None:
        return _("missing")
    return f"{value:g}" if isinstance(value, float) else str(value)[:40]


def _balance(classes: Sequence[dict[str, Any]]) -> Markup:
    most = max((item["rows"] for item in classes), default=1) or 1
    shown = classes[:MAX_CLASSES]
    rows = [
        tag(
            "div",
            *apart([tag("span", item["name"], title=item["name"]), bar(item["rows"] / most), count(item["rows"])]),
            cls="lepton-class",
        )
        for item in shown
    ]
    more = note(_(f"and {len(classes) - len(shown)} more classes")) if len(classes) > len(shown) else ""
    return join([tag("h4", _("Rows of each class")), tag("div", *rows, cls="lepton-classes"), more])


def _spread(targets: Sequence[dict[str, Any]]) -> Markup:
    """The least, mean and greatest value of each target, and how often each lies between."""
    rows = [
        (
            target["name"],
            *(f"{target[name]:g}" for name in ("least", "mean", "greatest", "std")),
            Markup(spark_svg([float(number) for number in target["histogram"]], width=120, height=28)),
        )
        for target in targets[:MAX_CLASSES]
    ]
    head = heads("target", "least", "mean", "greatest", "standard deviation", "spread")
    return join([tag("h4", _("What is to be foretold")), table(head, rows, _("Targets"))])


def _columns(columns: Sequence[dict[str, Any]]) -> Markup:
    """Each column's role, how many of its cells are empty, and why it has the role."""
    has_reasons = any(column.get("reason") for column in columns)
    rows = [
        (
            column["name"],
            _(column["role"]),
            count(column["missing"]),
            *([say(column.get("reason") or "")] if has_reasons else []),
        )
        for column in columns[:MAX_LISTED_COLUMNS]
    ]
    more = _(f"And {len(columns) - len(rows)} more columns. ") if len(columns) > len(rows) else ""
    hint = note(more, _("Set other roles with "), tag("code", "%lepton preprocess --roles column=role"), ".")
    head = (*heads("column", "role", "missing"), *([_("why")] if has_reasons else []))
    return join([tag("h4", _("Columns")), table(head, rows, _("Columns")), hint])
