"""Long series: windows, horizons, splits in time, missing moments; the same bits from what a person sends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lepton_lab.data import Preparation, load
from lepton_lab.data.rows import Windows
from lepton_lab.data.time_split import cut_rows
from lepton_lab.errors import DataError, SpecError
from lepton_lab.specs import DataSpec


def hourly(path: Path, rows: int = 300, **columns) -> DataSpec:
    """A CSV file with a column of hours and columns of numbers, all a sine unless given."""
    hours = [f"2020-01-{1 + hour // 24:02d} {hour % 24:02d}:00:00" for hour in range(rows)]
    sine = np.sin(np.arange(rows) * 2 * np.pi / 24).round(4)
    pl.DataFrame({"time": hours, **({"load": sine, "heat": sine * 2} | columns)}).write_csv(path)
    return DataSpec(name=str(path))


def test_etth1_with_the_split_of_the_field(store, material):
    path = str(material / "ett" / "ETTh1.csv")
    ett = load(DataSpec(name=path, window=336, horizon=96, time_split="12/4/4 months"), store)
    assert (ett.task, ett.modality) == ("forecasting", "series")
    assert (ett.input_shape, ett.problem.output_shape) == ((336, 7), (96, 7))
    assert {part: len(split) for part, split in ett.splits.items()} == {
        "train": 8640 - 336 - 96 + 1,
        "validation": 2880 - 96 + 1,
        "test": 2880 - 96 + 1,
    }
    assert ett.splits["test"].row_ids[0] == 11520 and ett.classes[-1] == "OT"
    table = pl.read_csv(path).drop("date").to_numpy()
    train = table[:8640]
    assert np.allclose(ett.target.mean, train.mean(axis=0), rtol=1e-5)
    inputs, labels = ett.splits["test"].inputs, ett.splits["test"].labels
    assert (
        isinstance(inputs, Windows) and inputs[0].tobytes() == table[11520 - 336 : 11520].astype(np.float32).tobytes()
    )
    assert labels[5].tobytes() == table[11525 : 11525 + 96].astype(np.float32).tobytes()
    same = load(DataSpec(name=path, window=336, horizon=96, time_split="8640/2880/2880"), store)
    assert same.splits["train"].row_ids.tolist() == ett.splits["train"].row_ids.tolist()


def test_the_other_series_are_known_by_their_times(store, material):
    second = load(DataSpec(name=str(material / "ett" / "ETTh2.csv")), store)
    assert second.task == "forecasting" and len(second.splits["train"].inputs.series) == 17_420
    airline = load(DataSpec(name=str(material / "airline" / "airline.csv")), store)
    assert airline.task == "forecasting" and airline.classes == ["Passengers"]
    assert len(airline.splits["train"].inputs.series) == 144
    for dataset in (second, airline):
        samples = dataset.card().to_dict()["samples"]
        assert len(samples) == 12 and all(sample["series"] and sample["ahead"] for sample in samples)


def test_a_window_that_is_sent_gives_the_bits_of_training(store, tmp_path):
    dataset = load(hourly(tmp_path / "a.csv"), store)
    preparation = Preparation.from_dict(dataset.preparation.to_dict())
    part = dataset.splits["test"]
    scaled = preparation.apply(part.inputs.series)
    rows = np.arange(0, len(part), 7)
    expected = Windows(scaled, part.inputs.starts, part.inputs.length).take(rows)
    sent = [dataset.raw_sample("test", int(row)).tolist() for row in rows]
    assert preparation.from_raw(sent).tobytes() == expected.tobytes()
    dicts = [[dict(zip(dataset.classes, moment, strict=True)) for moment in window] for window in sent]
    assert preparation.from_raw(dicts).tobytes() == expected.tobytes()
    longer = [[[0.0, 0.0], *window] for window in sent]
    assert preparation.from_raw(longer).tobytes() == expected.tobytes()
    with pytest.raises(DataError, match="Item 0: expected 48 moments"):
        preparation.from_raw([sent[0][1:]])
    with pytest.raises(DataError, match="Item 0, moment 3: there is no value for 'heat'"):
        preparation.from_raw([[{"load": 1, "heat": 2 if place != 3 else None} for place in range(48)]])


def test_no_forecast_reaches_over_the_end_of_its_part(store, tmp_path):
    dataset = load(hourly(tmp_path / "a.csv"), store)
    begin = 0
    for name, end in zip(("train", "validation", "test"), dataset.meta["forecast"]["ends"], strict=True):
        starts = dataset.splits[name].labels.starts
        assert starts.min() >= begin and starts.max() + dataset.problem.output_shape[0] <= end
        begin = end


def test_targets_roles_and_options(store, tmp_path):
    spec = hourly(tmp_path / "a.csv", note=["x"] * 300)
    assert load(spec.changed(task="forecasting"), store).classes == ["load", "heat"]
    assert load(spec.changed(task="forecasting", target="heat", horizon=3), store).classes == ["heat"]
    assert load(spec.changed(task="forecasting", roles="heat=ignored"), store).classes == ["load"]
    with pytest.raises(DataError, match="no column 'cold' to forecast"):
        load(spec.changed(task="forecasting", target="cold"), store)
    with pytest.raises(DataError, match="need 301"):
        load(spec.changed(task="forecasting", window=300, horizon=1), store)


def test_gaps_disorder_and_missing_values_are_said(store, tmp_path):
    spec = hourly(tmp_path / "a.csv", load=[None if row % 50 == 7 else float(row) for row in range(300)])
    lines = (tmp_path / "a.csv").read_text().splitlines()
    (tmp_path / "a.csv").write_text("\n".join([lines[0], lines[200], *lines[1:150], *lines[170:200], *lines[201:]]))
    dataset = load(spec.changed(task="forecasting"), store)
    assert {warning["kind"] for warning in dataset.card().warnings} >= {"sorted", "time_gaps", "missing_filled"}
    filled = dataset.splits["train"].inputs.series[:, 0]
    assert filled[7] == 7.0 and filled[57] == 57.0


def test_where_a_series_is_cut():
    assert cut_rows(None, 1000, None, (0.1, 0.2)) == [720, 800, 1000]
    assert cut_rows("0.7/0.1/0.2", 1000, None, (0, 0)) == [700, 800, 1000]
    assert cut_rows("12/4/4 months", 17_420, 3600.0, (0, 0)) == [8640, 11_520, 14_400]
    assert cut_rows("2/1/1 days", 100, 3600.0, (0, 0)) == [48, 72, 96]
    for text, step, words in (
        ("1/2", None, "expected train/validation/test"),
        ("90/10/10", None, "asks for 110 rows"),
        ("1/1/1 days", None, "no column of times"),
    ):
        with pytest.raises(SpecError, match=words):
            cut_rows(text, 100, step, (0, 0))


def test_arrays_and_files_of_arrays_are_series_too(session, tmp_path):
    values = np.stack([np.sin(np.arange(300) / 5), np.cos(np.arange(300) / 5)], axis=1)
    np.save(tmp_path / "values.npy", values)
    np.savez(tmp_path / "values.npz", a=values)
    for source in (values, values[:, 0], str(tmp_path / "values.npy"), str(tmp_path / "values.npz")):
        dataset = session.load_data(source, task="forecasting", horizon=6, window=20, time_split="0.6/0.2/0.2")
        shape = (20, 1 if isinstance(source, np.ndarray) and source.ndim == 1 else 2)
        assert dataset.prepared.task == "forecasting" and dataset.prepared.input_shape == shape
    with pytest.raises(DataError, match="A series has the shape"):
        session.load_data(np.zeros((4, 4, 4)), task="forecasting")
