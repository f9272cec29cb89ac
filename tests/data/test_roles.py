"""Tasks and roles of columns: told from the data, shown in the card, and set by a person."""

from __future__ import annotations

import json
from datetime import datetime

import numpy as np
import polars as pl
import pytest

from lepton_lab.data import Preparation, from_arrays, load
from lepton_lab.errors import DataError, SpecError, UnknownName
from lepton_lab.specs import DataSpec

ROWS = 240
DRAW = np.random.default_rng(0)
SIZES = DRAW.normal(10, 3, ROWS).round(2)
COLOURS = DRAW.choice(["red", "green", "blue"], ROWS)
YES = DRAW.choice(["yes", "no"], ROWS)
WORDS = ["lamp", "table", "old", "new", "wooden", "steel", "fine", "broken", "large", "small"]
TEXTS = [" ".join(DRAW.choice(WORDS, 6)) + f" {row}" for row in range(ROWS)]


def prepared(store, columns: dict, **options):
    return load(from_arrays(pl.DataFrame(columns), store=store, **options), store)


def kinds(dataset) -> set[str]:
    return {warning["kind"] for warning in dataset.card().to_dict()["warnings"]}


def roles(dataset) -> dict[str, str]:
    return {column["name"]: column["role"] for column in dataset.card().columns}


def raw_bits_equal(dataset) -> bool:
    again = Preparation.from_dict(json.loads(json.dumps(dataset.preparation.to_dict())))
    for name, part in dataset.splits.items():
        rows = json.loads(json.dumps([dataset.raw_sample(name, row) for row in range(len(part))]))
        together = again.from_raw(rows)
        if together.tobytes() != dataset.preparation.apply(part.inputs).tobytes():
            return False
        if any(again.from_raw([row]).tobytes() != together[place].tobytes() for place, row in enumerate(rows[:20])):
            return False
    return True


@pytest.mark.parametrize(
    ("target", "task"),
    [
        (SIZES, "regression"),
        (YES, "classification"),
        ([True, False] * (ROWS // 2), "classification"),
        (np.arange(ROWS) % 3, "classification"),
        (np.arange(ROWS) % 3 + 1, "classification"),
        (np.arange(ROWS) % 7 + 3, "regression"),
        (np.arange(ROWS) % 100 + 1900, "regression"),
        ([["a", "b"], ["b"], []] * (ROWS // 3), "multilabel"),
        (["a|b", "b", "c|a"] * (ROWS // 3), "multilabel"),
    ],
)
def test_the_task_is_told_from_the_target(store, target, task):
    dataset = prepared(store, {"size": SIZES * 2 + DRAW.normal(0, 1, ROWS), "colour": COLOURS, "wanted": target})
    assert dataset.task == dataset.problem.task == dataset.card().task == task
    assert dataset.card().task_reason and roles(dataset)["wanted"] == "target"
    assert raw_bits_equal(dataset)


def test_several_labels_in_a_cell(store):
    dataset = prepared(store, {"size": SIZES, "tags": ["a|b", "b", "", "c|a"] * (ROWS // 4)})
    assert dataset.classes == ["a", "b", "c"] and dataset.problem.output_shape == (3,)
    labels = np.concatenate([part.labels for part in dataset.splits.values()])
    assert labels.dtype == np.float32 and labels.sum(axis=0).tolist() == [ROWS / 2, ROWS / 2, ROWS / 4]
    assert dataset.card().classes[0]["rows"] == ROWS / 2 and ", " in dataset.card().samples[0]["label"] + ", "


def test_several_targets(store):
    columns = {"size": SIZES, "left": SIZES * 3 + COLOURS.astype("U1").view(np.int32), "right": SIZES**2}
    both = prepared(store, columns, target="left,right")
    assert both.task == "regression" and both.problem.output_shape == (2,) and both.classes == ["left", "right"]
    scaled = both.target.apply(both.splits["train"].labels)
    assert np.allclose(scaled.mean(axis=0), 0, atol=1e-5) and np.allclose(scaled.std(axis=0), 1, atol=1e-4)
    marks = {"size": SIZES, "hot": (SIZES > 10).astype(int), "red": COLOURS == "red"}
    assert prepared(store, marks, roles={"hot": "target", "red": "target"}).task == "multilabel"
    with pytest.raises(DataError, match="2 targets; classification has one"):
        prepared(store, marks, target="hot,red", task="classification")


def test_dates_are_learnt_from(store):
    when = [f"{2020 + row % 4}-{row % 12 + 1:02}-{row % 28 + 1:02}T{row % 24:02}:00" for row in range(ROWS)]
    when[5] = None
    dataset = prepared(store, {"when": when, "label": YES})
    assert roles(dataset)["when"] == "date" and dataset.input_shape == (7,)
    inputs = dataset.preparation.apply(dataset.splits["train"].inputs)
    assert np.isfinite(inputs).all() and np.abs(inputs[:, 1:]).max() <= 1
    assert raw_bits_equal(dataset)
    one = dataset.preparation.from_raw([{"when": "2021-03-05T06:00"}, {"when": datetime(2021, 3, 5, 6)}])
    assert one[0].tobytes() == one[1].tobytes()
    with pytest.raises(DataError, match="Row 0: column 'when' is 'soon'; expected a date such as 2024-05-31"):
        dataset.preparation.from_raw([{"when": "soon"}])


@pytest.mark.parametrize("form", ["%d.%m.%Y", "%m/%d/%Y", "%Y/%m/%d %H:%M"])
def test_dates_in_other_forms(store, form):
    when = [datetime(2020 + row % 4, row % 12 + 1, row % 28 + 1).strftime(form) for row in range(ROWS)]
    dataset = prepared(store, {"when": when, "label": YES})
    row = dataset.splits["train"].row_ids[0]
    sent = dataset.preparation.from_raw([{"when": when[row]}])
    assert sent.tobytes() == dataset.preparation.apply(dataset.splits["train"].inputs[:1]).tobytes()


def test_texts_beside_other_columns_are_words(store):
    dataset = prepared(store, {"size": SIZES, "notes": TEXTS, "label": YES})
    assert roles(dataset) == {"size": "number", "notes": "text", "label": "target"}
    assert dataset.input_shape[0] > len(WORDS) and dataset.modality == "table"
    assert dataset.raw_sample("test", 0)["notes"] in TEXTS
    assert raw_bits_equal(dataset)


def test_texts_alone_are_tokens_also_of_several_columns(store):
    titles = [text[:10] + " one two" for text in TEXTS]
    dataset = prepared(store, {"title": titles, "notes": TEXTS, "label": YES})
    assert dataset.modality == "text" and dataset.preparation.fields == ("title", "notes")
    row = dataset.raw_sample("test", 0)
    inputs, lengths = dataset.preparation.from_raw([row])
    stored = dataset.splits["test"].inputs[0]
    assert inputs[0].tolist() == stored.tolist() and lengths[0] == len(stored)


def test_the_label_may_stand_before_the_text(store, tmp_path):
    lines = [f"{'ab'[row % 2]}\t{text}" for row, text in enumerate(TEXTS)]
    (tmp_path / "texts.tsv").write_text("\n".join(lines), "utf-8")
    dataset = load(DataSpec(name=str(tmp_path / "texts.tsv")), store)
    assert dataset.modality == "text" and dataset.classes == ["a", "b"] and dataset.card().num_rows == ROWS


@pytest.mark.parametrize(("categories", "embedded"), [("auto", 1), ("embed", 2), ("one_hot", 0)])
def test_many_categories_are_embedded(store, categories, embedded):
    shops = [f"shop {number % 50}" for number in range(ROWS - 1)] + [None]
    dataset = prepared(
        store, {"shop": shops, "colour": COLOURS, "size": SIZES, "label": YES}, categories=categories, split_seed=1
    )
    cardinalities = dataset.problem.cardinalities
    assert len(cardinalities) == embedded and raw_bits_equal(dataset)
    if embedded:
        inputs = dataset.preparation.apply(dataset.splits["train"].inputs)
        assert (inputs[:, -embedded:] < np.array(cardinalities)).all() and inputs[:, -1].max() >= 1
        unseen = dataset.preparation.from_raw([{"shop": "never", "colour": "never", "size": 1}])
        assert not unseen[0, -embedded:].any()


def test_groups_stay_together_and_are_not_learnt_from(store):
    people = [f"p{row % 17}" for row in range(ROWS)]
    dataset = prepared(store, {"person": people, "size": SIZES, "label": YES}, roles={"person": "group"})
    held = {name: {people[row] for row in part.row_ids} for name, part in dataset.splits.items()}
    assert all(held.values()) and not held["train"] & held["test"] and not held["validation"] & held["test"]
    assert dataset.input_shape == (1,) and roles(dataset)["person"] == "group"
    assert "person" not in dataset.raw_sample("test", 0)


def test_the_latest_rows_are_the_test(store):
    when = np.random.default_rng(3).permutation(ROWS)
    dataset = prepared(store, {"when": when, "size": SIZES, "label": YES}, roles="when=time")
    moments = {name: when[part.row_ids] for name, part in dataset.splits.items()}
    assert moments["train"].max() < moments["validation"].min() <= moments["validation"].max() < moments["test"].min()
    with pytest.raises(SpecError, match="needs a time column"):
        prepared(store, {"size": SIZES, "label": YES}, split="time")


@pytest.mark.parametrize(("options", "name"), [({}, "split"), ({"roles": {"which": "split"}}, "which")])
def test_a_column_may_say_the_split(store, options, name):
    which = ["train", "train", "Train", "dev", "test", "test"] * (ROWS // 6)
    dataset = prepared(store, {name: which, "size": SIZES, "label": YES}, **options)
    assert {part: len(split) for part, split in dataset.splits.items()} == {"train": 120, "validation": 40, "test": 80}
    assert roles(dataset)[name] == "split"
    drawn = prepared(store, {name: which, "size": SIZES, "label": YES}, split="random", **options)
    assert len(drawn.splits["test"]) == 48


def test_duplicates_can_be_dropped(store):
    columns = {"size": np.repeat(SIZES[: ROWS // 2], 2), "label": np.repeat(YES[: ROWS // 2], 2)}
    dropped = prepared(store, columns, duplicates="drop")
    assert dropped.card().num_rows == len({*zip(columns["size"], columns["label"], strict=True)}) <= ROWS // 2
    assert "duplicates_dropped" in kinds(dropped) and prepared(store, columns).card().num_rows == ROWS


def test_outliers_are_kept_clipped_or_dropped(store):
    sizes = SIZES.copy()
    sizes[::40] = 1e6
    kept, clipped, dropped = (
        prepared(store, {"size": sizes, "label": YES}, outliers=how) for how in ("keep", "clip", "drop")
    )
    far = max(np.abs(kept.preparation.apply(part.inputs)).max() for part in kept.splits.values())
    assert far > 2 and raw_bits_equal(clipped)
    sent = clipped.preparation.from_raw([{"size": 1e9}, {"size": 1e6}])
    assert sent[0] == sent[1] < 6
    assert dropped.splits["train"].inputs.max() < 1e6
    assert sum(len(part) for part in dropped.splits.values()) < ROWS and "outliers_dropped" in kinds(dropped)
    assert len(dropped.splits["test"]) == len(kept.splits["test"]), "the test part stays as life is"


@pytest.mark.parametrize("how", ["oversample", "undersample"])
def test_classes_can_be_balanced(store, how):
    labels = ["rare" if row % 8 == 0 else "often" for row in range(ROWS)]
    plain = prepared(store, {"size": SIZES, "label": labels})
    dataset = prepared(store, {"size": SIZES, "label": labels}, balance=how)
    counts = np.bincount(dataset.splits["train"].labels)
    before = np.bincount(plain.splits["train"].labels)
    assert counts[0] == counts[1] == (before.max() if how == "oversample" else before.min())
    assert np.array_equal(dataset.splits["test"].row_ids, plain.splits["test"].row_ids)
    with pytest.raises(SpecError, match="balance is 'oversample', which needs classes"):
        prepared(store, {"size": SIZES, "cost": SIZES**2}, balance="oversample")


def test_roles_are_set_by_a_person(store):
    codes = np.arange(ROWS) % 9
    plain = prepared(store, {"code": codes, "size": SIZES, "label": YES})
    assert roles(plain)["code"] == "number" and plain.input_shape == (2,)
    asked = prepared(store, {"code": codes, "size": SIZES, "label": YES}, roles={"code": "category", "size": "ignored"})
    assert asked.input_shape == (9,) and roles(asked) == {"code": "category", "size": "ignored", "label": "target"}
    assert raw_bits_equal(asked) and asked.spec.roles == "code=category,size=ignored"
    with pytest.raises(UnknownName, match="No column is called 'cod'"):
        prepared(store, {"code": codes, "label": YES}, roles={"cod": "number"})
    with pytest.raises(SpecError, match="the role 'numeric'; expected one of number, category"):
        DataSpec.parse({"roles": {"code": "numeric"}})
    with pytest.raises(DataError, match="'colour' was to be numbers, but holds"):
        prepared(store, {"colour": COLOURS, "label": YES}, roles={"colour": "number"})


def test_roles_read_the_same_from_a_line_and_from_json():
    given = {"a": "number", "b c": "text"}
    assert DataSpec(roles=given).roles == DataSpec(roles="b c=text, a=number").roles == "a=number,b c=text"
    odd = {"a,b": "target", "c=d": "ignored"}
    assert DataSpec(roles=odd).role_by_column() == odd
    assert DataSpec.parse(json.loads(json.dumps(DataSpec(roles=odd).given()))).role_by_column() == odd


def test_a_column_that_is_the_target_in_other_units_is_a_leak(store):
    dataset = prepared(store, {"miles": SIZES * 0.62 + 3, "colour": COLOURS, "kilometres": SIZES})
    assert "leak" in kinds(dataset)
    noisy = prepared(store, {"miles": SIZES + DRAW.normal(0, 1, ROWS), "kilometres": SIZES})
    assert "leak" not in kinds(noisy)


def test_a_target_that_never_changes_is_told(store):
    dataset = prepared(store, {"size": SIZES, "cost": [2.5] * ROWS})
    with pytest.raises(DataError, match="'cost' has the same value in all training rows"):
        dataset.require_trainable()


def test_what_was_chosen_is_ranked(store):
    draw = np.random.default_rng(0)
    users, items = draw.integers(0, 20, ROWS), draw.integers(0, 30, ROWS)
    dataset = prepared(store, {"user": users, "item": items, "time": np.arange(ROWS)})
    assert dataset.task == "ranking" and dataset.problem.output_shape == ()
    test = dataset.splits["test"]
    for row in range(len(test)):
        mine = np.flatnonzero(users == users[test.row_ids[row]])
        assert test.row_ids[row] == mine[-1], "the last choice of each user is the test"
    assert np.array_equal(test.labels, np.asarray(test.inputs)[:, 1])
    assert dataset.problem.num_users == len(set(users)) + 1
