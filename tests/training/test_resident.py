"""Rows on the device, whole or streamed, of every form in which they are stored."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from lepton_lab.data.rows import Ragged, Windows
from lepton_lab.data.targets import Target
from lepton_lab.specs import Problem
from lepton_lab.training.columns import Dense, Streamed
from lepton_lab.training.objective import objective_for, rows_per_pass
from lepton_lab.training.resident import place
from tests.training.training_lab import Halves, stripes

CPU = torch.device("cpu")


def held(inputs: Any, labels: Any, problem: Problem, target: Target | None = None) -> Any:
    """A dataset with one part."""
    return SimpleNamespace(
        problem=problem,
        target=target or Target(problem.task),
        preparation=Halves() if not problem.vocabulary else SimpleNamespace(apply=np.asarray),
        splits={"train": SimpleNamespace(inputs=inputs, labels=labels)},
    )


def sentences() -> Ragged:
    return Ragged.of([np.arange(2, 2 + n, dtype=np.int32) for n in (3, 1, 5, 2, 4)])


def test_streamed_and_resident_rows_are_the_same() -> None:
    dataset = stripes()
    resident, streamed = place(dataset, "train", CPU), place(dataset, "train", CPU, free_bytes=0)
    assert isinstance(resident.inputs, Dense) and isinstance(streamed.inputs, Streamed)
    index = torch.tensor([5, 0, 95])
    for one, other in [(resident.batch(index), streamed.batch(index))] + [
        (a[1], b[1]) for a, b in zip(resident.passes(7), streamed.passes(7), strict=True)
    ]:
        assert torch.equal(one.inputs[0], other.inputs[0]) and torch.equal(one.labels, other.labels)
    expected = torch.from_numpy(dataset.splits["train"].inputs[5] / 2)
    assert torch.equal(resident.batch(index).inputs[0][0], expected)


def test_pictures_have_their_channels_last() -> None:
    dataset = stripes()
    for split in dataset.splits.values():
        split.inputs = split.inputs.repeat(3, axis=1)
    dataset.problem = Problem("classification", "image", (3, 8, 8), (3,))
    rows = place(dataset, "train", CPU)
    assert rows.batch(torch.arange(4)).inputs[0].is_contiguous(memory_format=torch.channels_last)
    assert rows.batches(torch.arange(8), [4, 4])[1].inputs[0].is_contiguous(memory_format=torch.channels_last)


def test_batches_gathered_together_are_those_gathered_one_by_one() -> None:
    forms = [
        stripes(),
        held(sentences(), np.arange(5), Problem("classification", "text", (5,), (5,), has_lengths=True, vocabulary=9)),
        held(
            Windows(np.arange(40, dtype=np.float32)[:, None], np.arange(5), 8),
            Windows(np.arange(40, dtype=np.float32)[:, None], np.arange(5) + 8, 4),
            Problem("forecasting", "series", (8, 1), (4, 1)),
            Target("forecasting", ("a",), (10.0,), (2.0,)),
        ),
        held(
            np.zeros((5, 1, 4, 4), np.float32),
            Ragged.of([np.full((n, 5), n, np.float32) for n in (1, 2, 0, 1, 3)]),
            Problem("detection", "image", (1, 4, 4), (1,)),
        ),
    ]
    index = torch.tensor([4, 0, 3, 1, 2])
    for dataset in forms:
        rows = place(dataset, "train", CPU)
        for one, other in zip(rows.batches(index, [2, 3]), [rows.batch(index[:2]), rows.batch(index[2:])], strict=True):
            assert all(torch.equal(a, b) for a, b in zip(one.inputs, other.inputs, strict=True))
            assert len(one.labels) == len(other.labels)
            assert all(torch.equal(a, b) for a, b in zip(one.labels, other.labels, strict=True))


def test_sentences_are_padded_to_the_longest_of_their_batch_and_cut_at_the_longest_of_all() -> None:
    problem = Problem("classification", "text", (4,), (5,), has_lengths=True, vocabulary=9)
    rows = place(held(sentences(), np.arange(5), problem), "train", CPU)
    tokens, lengths = rows.batch(torch.tensor([1, 3])).inputs
    assert tokens.tolist() == [[2, 0], [2, 3]] and tokens.dtype == torch.int64 and lengths.tolist() == [1, 2]
    tokens, lengths = rows.batch(torch.tensor([2, 0])).inputs
    assert tokens.tolist() == [[2, 3, 4, 5], [2, 3, 4, 0]] and lengths.tolist() == [4, 3]
    seen = torch.cat([index for index, _ in rows.passes(2)])
    assert sorted(seen.tolist()) == list(range(5))
    assert [batch.inputs[0].shape[1] for _, batch in rows.passes(2)] == [2, 4, 4]


def test_a_row_without_a_step_is_one_step_of_nothing() -> None:
    rows = Ragged.of([np.zeros(0, np.int32), np.array([7], np.int32)])
    problem = Problem("classification", "text", (4,), (5,), has_lengths=True, vocabulary=9)
    tokens, lengths = place(held(rows, np.arange(2), problem), "train", CPU).batch(torch.tensor([0])).inputs
    assert tokens.tolist() == [[0]] and lengths.tolist() == [1]


def test_forecasts_are_windows_of_the_prepared_series_and_scaled_labels() -> None:
    series = np.arange(40, dtype=np.float32)[:, None]
    rows = place(
        held(
            Windows(series, np.array([0, 5]), 3),
            Windows(series, np.array([3, 8]), 2),
            Problem("forecasting", "series", (3, 1), (2, 1)),
            Target("forecasting", ("a",), (10.0,), (2.0,)),
        ),
        "train",
        CPU,
    )
    batch = rows.batch(torch.tensor([1]))
    assert batch.inputs[0].flatten().tolist() == [2.5, 3.0, 3.5]
    assert batch.labels.flatten().tolist() == [-1.0, -0.5]


def test_a_split_is_scored_in_passes_that_hold_no_more_than_a_step_does() -> None:
    dataset, sizes = stripes(300), list[int]()

    def network(rows: torch.Tensor) -> torch.Tensor:
        sizes.append(len(rows))
        return rows.flatten(1)[:, :3]

    objective = objective_for(dataset.problem, dataset.target)
    scores = objective.of_split(network, place(dataset, "train", torch.device("cpu")))
    assert sizes == [128, 128, 44] and scores.outputs.shape == (300, 3)
    assert rows_per_pass(Problem("classification", "image", (3, 512, 512), (3,)), torch.device("cpu")) == 5
