"""Every task through the real worker: small made-up data that can be learnt, from the store to the report."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from lepton_lab import worker
from lepton_lab.data.rows import Ragged, Windows
from lepton_lab.data.targets import Target, fit_target
from lepton_lab.data.tokens import Tokenizer
from lepton_lab.evaluation.report import evaluate
from lepton_lab.evaluation.written import WRITTEN_TOKENS
from lepton_lab.models.language import Language
from lepton_lab.runs.curve import Curve
from lepton_lab.runs.events import EventLog, read_events
from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import RunRecord, create_run
from lepton_lab.specs import TASKS, DataSpec, LanguageOptions, ModelSpec, Problem, RunSpec, TrainSpec
from tests.training.training_lab import spec

LINEAR = """
class Net(nn.Module):
    '''Linear in its input.'''
    def __init__(self, problem):
        super().__init__()
        self.shape = problem.output_shape
        self.layer = nn.Linear(math.prod(problem.input_shape), math.prod(problem.output_shape))
    def forward(self, x):
        return self.layer(x.flatten(1)).view(len(x), *self.shape)
"""
BAG = """
class Net(nn.Module):
    '''The mean of its tokens.'''
    def __init__(self, problem):
        super().__init__()
        self.table = nn.Embedding(problem.vocabulary, 16, padding_idx=0)
        self.head = nn.Linear(16, problem.output_shape[0])
    def forward(self, tokens, lengths):
        return self.head(self.table(tokens).sum(1) / lengths[:, None])
"""
NEXT = """
class Net(nn.Module):
    '''What follows from a token alone.'''
    def __init__(self, problem):
        super().__init__()
        self.table = nn.Embedding(problem.vocabulary, problem.vocabulary)
    def forward(self, tokens):
        return self.table(tokens)
"""
FACTORS = """
class Net(nn.Module):
    '''Users times items.'''
    def __init__(self, problem):
        super().__init__()
        self.users, self.items = nn.Embedding(problem.num_users, 4), nn.Embedding(problem.num_items, 4)
    def forward(self, pairs):
        return (self.users(pairs[:, 0]) * self.items(pairs[:, 1])).sum(1)
"""
FINDER = """
class Net(nn.Module):
    '''One box a picture, of the first class; its corners are linear in the picture.'''
    def __init__(self, problem):
        super().__init__()
        self.layer = nn.Linear(math.prod(problem.input_shape), 4)
    def forward(self, pictures):
        return self.layer(pictures.flatten(1))
    def loss(self, outputs, targets):
        return nn.functional.smooth_l1_loss(outputs, torch.stack([boxes[0, :4] for boxes in targets]) / 8)
    def decode(self, outputs):
        sure_and_class = outputs.new_tensor([[0.9, 0.0]]).expand(len(outputs), 2)
        return list(torch.cat([8 * outputs, sure_and_class], 1)[:, None])
"""


class Plain:
    """A preparation that leaves rows as they are."""

    def apply(self, stored: np.ndarray) -> np.ndarray:
        return np.asarray(stored)


def dataset(problem: Problem, target: Target, parts: dict[str, tuple[Any, Any]]) -> Any:
    splits = {}
    for name, (inputs, labels) in parts.items():
        splits[name] = type(
            "Part", (), {"inputs": inputs, "labels": labels, "__len__": lambda self: len(self.labels)}
        )()
    return SimpleNamespace(
        name=problem.task,
        task=problem.task,
        problem=problem,
        target=target,
        classes=list(problem.classes),
        preparation=Plain(),
        splits=splits,
        require_trainable=lambda: None,
    )


def thirds(make: Any) -> dict[str, tuple[Any, Any]]:
    generator = np.random.default_rng(0)
    return {name: make(rows, generator) for name, rows in (("train", 256), ("validation", 64), ("test", 64))}


def several_labels() -> tuple[Any, str]:
    def make(rows: int, generator: Any) -> tuple[Any, Any]:
        inputs = generator.normal(size=(rows, 4)).astype(np.float32)
        return inputs, (inputs[:, :3] > 0.3).astype(np.float32)

    problem = Problem("multilabel", "table", (4,), (3,), classes=("a", "b", "c"))
    return dataset(problem, Target("multilabel", ("a", "b", "c")), thirds(make)), LINEAR


def values() -> tuple[Any, str]:
    def make(rows: int, generator: Any) -> tuple[Any, Any]:
        inputs = generator.normal(size=(rows, 4)).astype(np.float32)
        return inputs, np.stack([100 * inputs[:, 0] + 500, inputs[:, 1] - inputs[:, 2]], 1)

    parts = thirds(make)
    target = fit_target("regression", parts["train"][1], ("price", "size"))
    return dataset(Problem("regression", "table", (4,), (2,), classes=("price", "size")), target, parts), LINEAR


def forecasts() -> tuple[Any, str]:
    series = np.sin(np.arange(600)[:, None] / np.array([4.0, 9.0])).astype(np.float32) * [3.0, 20.0] + 7.0
    series = series.astype(np.float32)
    parts = {
        name: (Windows(series, starts, 24), Windows(series, starts + 24, 6))
        for name, starts in (
            ("train", np.arange(400)),
            ("validation", np.arange(420, 480)),
            ("test", np.arange(500, 560)),
        )
    }
    target = fit_target("forecasting", series, ("fast", "slow"))
    return dataset(Problem("forecasting", "series", (24, 2), (6, 2)), target, parts), LINEAR


def words() -> tuple[Any, str]:
    def make(rows: int, generator: Any) -> tuple[Any, Any]:
        labels = np.arange(rows) % 2
        lengths = generator.integers(1, 30, rows)
        return Ragged.of(
            [generator.integers(2 + 10 * y, 12 + 10 * y, n) for y, n in zip(labels, lengths, strict=True)]
        ), labels

    problem = Problem("classification", "text", (30,), (2,), has_lengths=True, vocabulary=22, classes=("low", "high"))
    return dataset(problem, Target("classification", ("low", "high")), thirds(make)), BAG


def letters() -> tuple[Any, str]:
    series = (np.arange(3000) % 7 + 2).astype(np.int32)
    parts = {
        name: (Windows(series, starts, 20), Windows(series, starts + 1, 20))
        for name, starts in (
            ("train", np.arange(0, 2000, 10)),
            ("validation", np.arange(2100, 2400, 10)),
            ("test", np.arange(2500, 2900, 10)),
        )
    }
    return dataset(Problem("language", "text", (20,), (20, 9), vocabulary=9), Target("language"), parts), NEXT


def ratings() -> tuple[Any, str]:
    def make(rows: int, generator: Any) -> tuple[Any, Any]:
        pairs = np.stack([generator.integers(0, 8, rows), generator.integers(0, 6, rows)], 1)
        return pairs, 1.0 + 4.0 * ((pairs[:, 0] % 2) == (pairs[:, 1] % 2))

    parts = thirds(make)
    target = fit_target("rating", parts["train"][1], low=1.0, high=5.0)
    return dataset(Problem("rating", "interactions", (2,), (), num_users=8, num_items=6), target, parts), FACTORS


def likes() -> tuple[Any, str]:
    def make(rows: int, generator: Any) -> tuple[Any, Any]:
        users = generator.integers(0, 8, rows)
        pairs = np.stack([users, (users % 4) * 10 + generator.integers(0, 10, rows)], 1)
        return pairs, pairs[:, 1]

    problem = Problem("ranking", "interactions", (2,), (), num_users=8, num_items=400)
    return dataset(problem, Target("ranking"), thirds(make)), FACTORS


def boxes() -> tuple[Any, str]:
    def make(rows: int, generator: Any) -> tuple[Any, Any]:
        corners = generator.integers(0, 5, (rows, 2)).astype(np.float32)
        pictures = np.zeros((rows, 1, 8, 8), np.float32)
        labels = []
        for picture, (left, top) in zip(pictures, corners.astype(int), strict=True):
            picture[0, top : top + 3, left : left + 3] = 1.0
            labels.append(np.array([[left, top, left + 3, top + 3, 0]], np.float32))
        return pictures, Ragged.of(labels)

    problem = Problem("detection", "image", (1, 8, 8), (1,), classes=("square",))
    return dataset(problem, Target("detection", ("square",)), thirds(make)), FINDER


GOALS = {
    several_labels: 0.9, values: 20.0, forecasts: 0.05, words: 0.95, letters: 1.5, ratings: 0.6, likes: 0.9, boxes: 0.8
}  # fmt: skip
"""What each should reach after a few epochs."""


@pytest.mark.parametrize("make", GOALS, ids=lambda make: make.__name__)
def test_each_task_is_learnt_told_and_reported(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, source = make()
    task = TASKS[data.task]
    monkeypatch.setattr("lepton_lab.data.load", lambda *_: data)
    monkeypatch.setattr("lepton_lab.models.registry.check", lambda *_, **__: None)
    monkeypatch.setattr("lepton_lab.worker.seated.export", lambda *_, **__: None)  # tests/serving looks at bundles
    record = start(tmp_path, source)
    worker.work(record.store, record.run_id)
    summary, report = record.summary(), record.report()
    assert summary.state == "finished", summary.message
    assert summary.metric == task.metric and summary.higher_is_better is task.higher_is_better
    assert report is not None and report["task"] == task.name and report["metric"] == task.metric
    for reached in (summary.best_val_metric, summary.test_metric, report[task.metric]):
        assert reached is not None
        assert reached >= GOALS[make] if task.higher_is_better else reached <= GOALS[make]
    curve = Curve(record.run_id)
    for event in read_events(record.dir):
        curve.apply(event)
    best = max if task.higher_is_better else min
    assert summary.best_val_metric == best(curve.series[f"val_{task.metric}"].y)
    assert {"train_loss", "val_loss", f"train_{task.metric}"} <= set(curve.series)
    if task.name in ("ranking", "detection"):  # no step tells them: a point after each epoch
        assert len(curve.series[f"train_{task.metric}"]) == len(curve.series[f"val_{task.metric}"])
        assert summary.train_metric == curve.series[f"train_{task.metric}"].y[-1]


def start(folder: Path, source: str) -> RunRecord:
    store = Store(folder / "store").prepare()
    options = spec(epochs=12, learning_rate=0.05, batch_size=16, augment="none").model_dump(exclude_unset=True)
    model = ModelSpec(name="net", source=source, class_name="Net")
    record = create_run(store, RunSpec(data=DataSpec(), model=model, train=TrainSpec(**options)))
    with EventLog.open_writer(record.dir) as events:
        events.append("RunStarting", pid=0, attempt=1, warm=False)
    return record


class Says(torch.nn.Module):
    """Answers what it was made with, row by row."""

    def __init__(self, answers: np.ndarray) -> None:
        super().__init__()
        self.answers = torch.nn.Parameter(torch.from_numpy(np.asarray(answers, np.float32)))
        self.next = 0

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        self.next += len(rows)
        return self.answers[self.next - len(rows) : self.next]


def test_a_report_of_values_is_in_the_units_of_the_source() -> None:
    data, _ = values()
    truths = data.splits["test"].labels
    said = truths + np.array([3.0, -0.5]) * np.where(np.arange(64) % 2, 1, -1)[:, None]
    report = evaluate(Says(data.target.apply(said)), data)
    assert report["targets"][0]["mae"] == pytest.approx(3.0, rel=1e-4)
    assert report["targets"][1]["rmse"] == pytest.approx(0.5, rel=1e-4)
    assert report["mae"] == pytest.approx(1.75, rel=1e-4)
    ratio = 9.0 / truths[:, 0].var()
    assert report["targets"][0]["r2"] == pytest.approx(1 - ratio, rel=1e-4)
    assert len(report["worst"]) == 24 and set(report["worst"][0]) == {"row", "truth", "prediction"}


def test_a_report_of_forecasts_has_scaled_errors_for_each_step_ahead() -> None:
    data, _ = forecasts()
    labels = data.splits["test"].labels
    truths = data.target.apply(labels.take(np.arange(len(labels))))
    report = evaluate(Says(truths + np.arange(6)[None, :, None]), data)
    assert [each["mae"] for each in report["horizon"]] == pytest.approx([0, 1, 2, 3, 4, 5], abs=1e-5)
    assert report["mse"] == pytest.approx(np.mean(np.arange(6) ** 2.0), rel=1e-5)
    assert report["targets"][1]["mae_units"] == pytest.approx(2.5 * data.target.std[1], rel=1e-4)


def test_a_report_of_labels_counts_each_label_and_whole_rows() -> None:
    data, _ = several_labels()
    truths = data.splits["test"].labels
    said = truths.copy()
    said[:, 2] = 1 - said[:, 2]
    report = evaluate(Says(said * 8 - 4), data)
    assert report["subset_accuracy"] == 0.0
    assert [each["f1"] for each in report["classes"]] == [1.0, 1.0, 0.0]
    assert report["f1_macro"] == pytest.approx(2 / 3)


def test_perplexity_is_that_of_the_mean_loss() -> None:
    data, _ = letters()
    report = evaluate(torch.nn.Embedding.from_pretrained(torch.zeros(9, 9), freeze=False), data)
    assert report["perplexity"] == pytest.approx(9.0) and report["bits_per_token"] == pytest.approx(math.log2(9))


def test_a_report_of_a_language_shows_what_the_network_writes() -> None:
    data, _ = letters()
    assert "sample" not in evaluate(torch.nn.Embedding(9, 9), data), "a network that cannot write says nothing"
    data.preparation.tokenizer = Tokenizer("characters", tuple("abcdefg"))
    torch.manual_seed(0)
    network = Language(data.problem, LanguageOptions())
    before = torch.get_rng_state()
    sample = evaluate(network, data)["sample"]
    assert sample["prompt"] == ("abcdefg" * 4)[1:21] and len(sample["text"]) == WRITTEN_TOKENS
    assert set(sample["text"]) <= set("abcdefg")
    assert evaluate(network, data)["sample"] == sample and torch.equal(torch.get_rng_state(), before)
