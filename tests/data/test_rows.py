"""Rows that are no rectangle, and targets that are scaled and read back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_lab.data.rows import Ragged, Windows
from lepton_lab.data.targets import Target, fit_target
from lepton_lab.errors import DataError
from lepton_lab.specs import TASKS, Problem

LENGTHS = st.lists(st.integers(0, 9), min_size=1, max_size=12)


@given(LENGTHS, st.randoms())
def test_ragged_rows_are_the_rows_that_went_in(lengths, random):
    rows = [np.arange(length) + 10 * number for number, length in enumerate(lengths)]
    ragged = Ragged.of(rows)
    assert len(ragged) == len(rows) and all(map(np.array_equal, ragged, rows))
    assert ragged.lengths.tolist() == lengths
    order = np.array(random.sample(range(len(rows)), len(rows)))
    assert all(map(np.array_equal, ragged.take(order), [rows[i] for i in order]))
    padded = ragged.padded(order)
    for line, i in zip(padded, order, strict=True):
        assert np.array_equal(line[: lengths[i]], rows[i]) and not line[lengths[i] :].any()


def test_padded_rows_are_cut_where_they_are_longer():
    ragged = Ragged.of([np.arange(5), np.arange(2)])
    assert ragged.padded(np.array([0, 1]), 3).tolist() == [[0, 1, 2], [0, 1, 0]]


def test_no_rows_are_refused_in_words():
    with pytest.raises(DataError, match="at least one"):
        Ragged.of([])


def test_windows_are_stretches_of_the_series():
    series = np.arange(20).reshape(10, 2)
    windows = Windows(series, np.array([0, 3, 7]), 3)
    assert len(windows) == 3 and np.array_equal(windows[1], series[3:6])
    assert np.array_equal(windows.take(np.array([2, 0])), np.stack([series[7:10], series[0:3]]))


@pytest.mark.parametrize("labels", [np.array([1.0, 2, 3, 6]), np.random.default_rng(0).normal(5, 3, (30, 4))])
def test_scaled_targets_come_back(labels):
    target = fit_target("regression", labels)
    scaled = target.apply(labels)
    assert scaled.dtype == np.float32 and abs(scaled.mean()) < 1e-6
    np.testing.assert_allclose(target.restore(scaled), labels, rtol=1e-5)
    assert Target.from_dict(target.to_dict()) == target


def test_a_rating_stays_on_its_scale():
    target = fit_target("rating", np.array([1.0, 5, 3]), low=1, high=5)
    assert target.restore(np.array([-9.0, 9.0])).tolist() == [1, 5]


def test_class_numbers_pass_as_they_are():
    labels = np.array([0, 2, 1])
    assert fit_target("classification", labels, ("a", "b", "c")).apply(labels) is not None
    assert np.array_equal(fit_target("classification", labels).apply(labels), labels)


def test_a_problem_survives_json():
    import json

    problem = Problem("regression", "table", (4,), (1,), cardinalities=(3, 5), classes=("price",))
    assert Problem.from_dict(json.loads(json.dumps(problem.to_dict()))) == problem
    assert all(task.losses for task in TASKS.values())
