"""Mixed columns: roles, missing values, targets, and the same bits for a row of a request."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from lepton_lab.data import Preparation, from_arrays, load
from lepton_lab.errors import DataError, UnknownName
from lepton_lab.specs import DataSpec

ROWS = 200


def frame(**columns) -> pl.DataFrame:
    """200 rows: a measure, a colour, and a label that follows neither exactly."""
    draw = np.random.default_rng(0)
    base = {
        "size": draw.normal(10, 3, ROWS).round(2),
        "colour": draw.choice(["red", "green", "blue"], ROWS),
        "label": draw.choice(["yes", "no"], ROWS),
    }
    return pl.DataFrame({**base, **columns}).select(list(dict.fromkeys([*columns, *base])))


def prepared(table: pl.DataFrame, store, **options):
    return load(from_arrays(table, store=store, **options), store)


def kinds(dataset) -> set[str]:
    return {warning["kind"] for warning in dataset.card().to_dict()["warnings"]}


def raw_bits_equal(dataset, *, through_json: bool = True) -> bool:
    again = Preparation.from_dict(json.loads(json.dumps(dataset.preparation.to_dict())))
    for name, part in dataset.splits.items():
        rows = [dataset.raw_sample(name, row) for row in range(len(part))]
        rows = json.loads(json.dumps(rows)) if through_json else rows
        if again.from_raw(rows).tobytes() != dataset.preparation.apply(part.inputs).tobytes():
            return False
    return True


@pytest.mark.parametrize(("missing", "num_rows"), [("auto", 32_561), ("fill", 32_561), ("drop", 30_162)])
def test_adult(store, material, missing, num_rows):
    adult = load(DataSpec(name=str(material / "adult" / "train.csv"), missing=missing), store)
    card = adult.card().to_dict()
    assert adult.name == "adult" and adult.classes == ["<=50K", ">50K"]
    assert card["num_rows"] == num_rows
    assert card["missing_values"] == (0 if missing == "drop" else 4262)
    kept = {column["name"]: column["kind"] for column in card["columns"]}
    assert len(kept) == 15 and kept["age"] == "number" and kept["workclass"] == "category"
    assert [column["name"] for column in card["columns"] if column["role"] == "target"] == ["income"]
    test = adult.splits["test"]
    rows = [adult.raw_sample("test", row) for row in range(1000)]
    expected = adult.preparation.apply(test.inputs[:1000])
    assert adult.preparation.from_raw(rows).tobytes() == expected.tobytes()
    lists = [list(row.values()) for row in rows]
    assert adult.preparation.from_raw(lists).tobytes() == expected.tobytes()


def test_lines_of_the_file_itself_give_the_bits_of_training(store, material):
    path = material / "adult" / "train.csv"
    adult = load(DataSpec(name=str(path)), store)
    lines = path.read_text().splitlines()[1:]
    test = adult.splits["test"]
    sent = [lines[row_id].rpartition(",")[0] for row_id in test.row_ids[:500]]
    assert adult.preparation.from_raw(sent).tobytes() == adult.preparation.apply(test.inputs[:500]).tobytes()


def test_wine_quality(store, material):
    wine = load(DataSpec(name=str(material / "wine-quality" / "white.csv"), target="quality"), store)
    assert wine.card().num_rows == 4898 and wine.task == "regression" and wine.classes == ["quality"]
    assert "duplicates" in kinds(wine) and raw_bits_equal(wine)
    assert wine.problem.output_shape == (1,) and wine.splits["train"].labels.shape == (3526, 1)
    target = wine.card().targets[0]
    assert (target["least"], target["greatest"]) == (3, 9) and sum(target["histogram"]) == 3526
    labels = wine.splits["train"].labels
    scaled = wine.target.apply(labels)
    assert abs(float(scaled.mean())) < 1e-4 and np.allclose(wine.target.restore(scaled), labels, atol=1e-5)


def test_the_task_can_be_set(store, material):
    path = str(material / "wine-quality" / "white.csv")
    wine = load(DataSpec(name=path, task="classification"), store)
    assert wine.classes == ["3", "4", "5", "6", "7", "8", "9"] and {"imbalance", "small_class"} <= kinds(wine)
    assert wine.card().task_reason == "as asked"


def test_numbers_are_standardised_on_the_training_part(store):
    dataset = prepared(frame(), store)
    size = dataset.preparation.apply(dataset.splits["train"].inputs)[:, 0]
    assert abs(size.mean()) < 1e-6 and abs(size.std() - 1) < 1e-6
    assert dataset.input_shape == (4,)


@pytest.mark.parametrize("missing", ["auto", "fill", "drop"])
@pytest.mark.parametrize("normalize", ["auto", "minmax", "none"])
def test_missing_values_come_out_the_same_both_ways(store, missing, normalize):
    table = frame().with_columns(
        pl.when(pl.int_range(ROWS) % 7 == 0).then(None).otherwise(pl.col("size")).alias("size"),
        pl.when(pl.int_range(ROWS) % 5 == 0).then(None).otherwise(pl.col("colour")).alias("colour"),
    )
    dataset = prepared(table, store, missing=missing, normalize=normalize)
    assert raw_bits_equal(dataset)
    assert np.isfinite(dataset.preparation.apply(dataset.splits["train"].inputs)).all()
    assert dataset.input_shape == ((5,) if missing == "auto" else (4,))
    if missing == "drop":
        assert dataset.card().num_rows == sum(1 for row in range(ROWS) if row % 7 and row % 5)
        with pytest.raises(DataError, match="Row 0: column 'size' has no value"):
            dataset.preparation.from_raw([{"size": None, "colour": "red"}])


def test_a_value_that_training_never_saw_is_neither_lost_nor_a_crash(store):
    colours = ["red", "green"] * (ROWS // 2)
    rare = [f"rare{row}" if row % 29 == 0 else colours[row] for row in range(ROWS)]
    dataset = prepared(frame(colour=rare), store)
    assert raw_bits_equal(dataset)
    shown = {dataset.raw_sample("test", row)["colour"] for row in range(len(dataset.splits["test"]))}
    assert any(value.startswith("rare") for value in shown)
    unseen = dataset.preparation.from_raw([{"size": 1, "colour": "never"}])
    assert not unseen[0, :-1].any() and unseen[0, -1] != 0


def test_only_the_most_frequent_categories_get_an_input(store):
    draw = np.random.default_rng(1)
    colours = [f"c{number}" for number in draw.integers(0, 80, ROWS)]
    dataset = prepared(frame(colour=colours), store, categories="one_hot")
    assert dataset.input_shape[0] <= 65 and "many_categories" in kinds(dataset) and raw_bits_equal(dataset)


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (list(range(1000, 1000 + ROWS)), "id_column"),
        ([f"u-{row}" for row in range(ROWS)], "id_column"),
        ([7.0] * ROWS, "constant_column"),
        (["same"] * ROWS, "constant_column"),
        ([None] * ROWS, "empty_column"),
        ([float("nan")] * ROWS, "empty_column"),
        ([f"text {row // 2 * 2} {'x' * (row % 200)}" for row in range(ROWS - 2)] + ["text a", "text a"], "text_column"),
    ],
)
def test_columns_that_teach_nothing_are_noticed_and_not_used(store, column, kind):
    dataset = prepared(frame(odd=column), store)
    assert kind in kinds(dataset)
    listed = {entry["name"]: entry for entry in dataset.card().columns}
    assert listed["odd"]["kind"] == "ignored" and listed["odd"]["reason"]
    assert "odd" not in dataset.raw_sample("train", 0)
    # A row may still bring the column along.
    row = {**dataset.raw_sample("test", 0), "odd": "anything", "label": "yes"}
    assert dataset.preparation.from_raw([row]).shape == (1, 4)


def test_a_leak_is_noticed(store):
    table = frame()
    dataset = prepared(table.select(pl.col("label").replace({"yes": "1", "no": "0"}).alias("code"), pl.all()), store)
    assert "leak" in kinds(dataset)
    assert "leak" not in kinds(prepared(table, store))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.linspace(0, 1, ROWS), "decimal numbers such as"),
        (np.arange(ROWS), "200 different values in 200 rows"),
        ([f"name {row}" for row in range(ROWS)], "no set of classes"),
    ],
)
def test_targets_that_are_no_classes_are_refused_before_training(store, labels, said):
    with pytest.raises(DataError, match=said) as caught:
        prepared(frame(label=labels), store, task="classification")
    assert "'label'" in str(caught.value)


def test_one_class_is_told_and_cannot_be_trained(store):
    dataset = prepared(frame(label=["only"] * ROWS), store)
    assert dataset.card().warnings[0]["kind"] == "one_class"
    with pytest.raises(DataError, match="'only'"):
        dataset.require_trainable()
    prepared(frame(), store).require_trainable()


def test_empty_parts_are_told(store):
    dataset = prepared(frame(), store, test_fraction=0.0, validation_fraction=0.0)
    assert [len(part) for part in dataset.splits.values()] == [ROWS, 0, 0]
    assert [warning["kind"] for warning in dataset.card().warnings].count("empty_split") == 2
    assert dataset.preparation.apply(dataset.splits["test"].inputs).shape == (0, 4)


def test_rows_without_a_label_are_counted_not_dropped_in_silence(store):
    labels = [None if row < 3 else "ab"[row % 2] for row in range(ROWS)]
    dataset = prepared(frame(label=labels), store)
    assert dataset.card().num_rows == ROWS - 3
    assert any("3 rows have no value in the target" in warning["message"] for warning in dataset.card().warnings)


def test_none_may_be_a_class(store):
    assert prepared(frame(label=["None", "scratch"] * (ROWS // 2)), store).classes == ["None", "scratch"]


def test_a_stray_text_among_numbers_is_named_with_its_row(store):
    sizes = [str(row / 2) for row in range(ROWS)]
    sizes[16] = "12a"
    with pytest.raises(DataError, match="column 'size' holds numbers, but '12a' in data row 17"):
        prepared(frame(size=sizes), store)


@pytest.mark.parametrize("value", [float("inf"), -1e31])
def test_infinite_numbers_are_named(store, value):
    with pytest.raises(DataError, match=r"column 'size' is .* in data row 1"):
        prepared(frame(size=[value, *np.arange(ROWS - 1) * 0.5]), store)


def test_decimal_commas_are_numbers(store):
    dataset = prepared(frame(size=[f"{row // 3},{row % 3}5" for row in range(ROWS)]), store)
    assert dataset.card().columns[0]["kind"] == "number" and dataset.raw_sample("train", 0)["size"] % 1


def test_lists_in_cells_are_refused(store):
    with pytest.raises(DataError, match="column 'bad' holds List"):
        prepared(frame(bad=[[1, 2]] * ROWS), store)


def test_truth_values_are_categories_in_any_form(store):
    dataset = prepared(frame(odd=[row % 3 == 0 for row in range(ROWS)]), store)
    row = {**dataset.raw_sample("test", 0)}
    forms = [{**row, "odd": value} for value in (True, "True", "true", " TRUE ")]
    inputs = dataset.preparation.from_raw(forms)
    assert (inputs == inputs[0]).all() and inputs[0, :2].sum() == 1


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"size": 1}, "Row 0 lacks the column 'colour'"),
        ({"size": 1, "color": "red"}, "Did you mean it by 'color'?"),
        ({"size": 1, "colour": "red", "weight": 2}, "column 'weight' that the network does not know"),
        ({"size": "big", "colour": "red"}, "Row 0: column 'size' is 'big'; expected a number"),
        ({"size": "1_000", "colour": "red"}, "expected a number"),
        ({"size": [1], "colour": "red"}, "Row 0: column 'size' is [1]; expected a number"),
        ({"size": 10**400, "colour": "red"}, "expected a finite number"),
        ({"size": float("inf"), "colour": "red"}, "expected a finite number"),
        ({"size": 1, "colour": {"a": 1}}, "Row 0: column 'colour' is a dict; expected a text"),
        ([1], "Row 0 has 1 cells; expected 2: size, colour"),
        ("1", "Row 0 has 1 cells"),
        (3.5, "expected a dict by column name"),
    ],
)
def test_wrong_rows_are_named(store, row, said):
    dataset = prepared(frame(), store)
    with pytest.raises(DataError) as caught:
        dataset.preparation.from_raw([row])
    assert said in str(caught.value)


def test_targets_are_found_by_name_or_place(store):
    assert prepared(frame(), store).meta["target"] == "label"
    assert prepared(frame().rename({"label": "kind"}), store).meta["target"] == "kind"
    assert (
        prepared(frame().rename({"label": "Class"}).select("Class", "size", "colour"), store).meta["target"] == "Class"
    )
    with pytest.raises(UnknownName, match="Did you mean 'colour'"):
        prepared(frame(), store, target="color")


def test_labels_are_data_and_stay_plain_text(store):
    evil = "<img src=x onerror=alert(1)>"
    dataset = prepared(frame(label=[evil if row % 2 else "b" for row in range(ROWS)]), store)
    card = dataset.card().to_dict()
    assert {entry["name"] for entry in card["classes"]} == {evil, "b"}
    assert json.loads(json.dumps(card)) == card
