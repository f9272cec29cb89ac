"""The report of a network whose answers are known beforehand."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torch import nn

from lepton_lab.data.dataset import PreparedDataset, Split
from lepton_lab.data.sequence_preparation import SequencePreparation
from lepton_lab.errors import DataError
from lepton_lab.evaluation.classes import NUM_MISTAKES
from lepton_lab.evaluation.report import evaluate
from lepton_lab.specs import DataSpec

CLASSES = ["ant", "bee", "cat"]


class Echo(nn.Module):
    """Its scores are its inputs: a row (1, 3) says itself what the network answers."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.dropout = nn.Dropout(0.9)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.dropout(rows.flatten(1) * self.scale)


def dataset(scores_NK: np.ndarray, labels_N: np.ndarray) -> PreparedDataset:
    """A dataset whose test part is answered with these scores."""
    empty = Split(np.zeros((0, 1, 3), np.float32), np.zeros(0, np.int64), np.zeros(0, np.int64))
    test = Split(scores_NK[:, None, :].astype(np.float32), labels_N, np.arange(len(labels_N)))
    return PreparedDataset(
        name="echoes",
        title="Echoes",
        spec=DataSpec(),
        splits={"train": test, "validation": empty, "test": test},
        preparation=SequencePreparation((1, 3), (0.0,) * 3, (1.0,) * 3),
        meta={"modality": "sequence", "classes": CLASSES, "fingerprint": "0" * 64, "remarks": []},
    )


def random_case(num_rows: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(8)
    return generator.normal(0, 2, (num_rows, 3)), generator.integers(0, 3, num_rows)


def softmax(scores_NK: np.ndarray) -> np.ndarray:
    powers_NK = np.exp(scores_NK - scores_NK.max(1, keepdims=True))
    return powers_NK / powers_NK.sum(1, keepdims=True)


@pytest.mark.parametrize("num_rows", [1, 50, 512, 1300])
def test_it_counts_every_row_once(num_rows: int) -> None:
    scores_NK, labels_N = random_case(num_rows)
    report = evaluate(Echo(), dataset(scores_NK, labels_N), run_id="echo-1")
    assert (report["run_id"], report["split"], report["rows"]) == ("echo-1", "test", num_rows)
    assert report["accuracy"] == pytest.approx((scores_NK.argmax(1) == labels_N).mean())
    assert report["loss"] == pytest.approx(log_loss(labels_N, softmax(scores_NK), labels=range(3)), rel=1e-5)
    assert np.sum(report["confusion"]) == num_rows
    assert sum(each["support"] for each in report["classes"]) == num_rows
    assert report["seconds"] >= 0
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_the_surest_mistakes_come_first() -> None:
    scores_NK, labels_N = random_case(400)
    mistakes = evaluate(Echo(), dataset(scores_NK, labels_N))["mistakes"]
    wrong = np.flatnonzero(scores_NK.argmax(1) != labels_N)
    confidence = softmax(scores_NK)[wrong].max(1)
    assert len(wrong) > NUM_MISTAKES == len(mistakes)
    assert [each["row"] for each in mistakes] == wrong[np.argsort(-confidence)][:NUM_MISTAKES].tolist()
    assert [each["confidence"] for each in mistakes] == sorted((each["confidence"] for each in mistakes), reverse=True)
    for each in mistakes:
        assert each["truth"] == CLASSES[labels_N[each["row"]]] != each["prediction"]
        assert each["prediction"] == CLASSES[scores_NK[each["row"]].argmax()]


def test_equally_sure_mistakes_keep_the_order_of_the_rows() -> None:
    scores_NK = np.tile([2.0, 0.0, 0.0], (5, 1))
    mistakes = evaluate(Echo(), dataset(scores_NK, np.array([1, 0, 2, 1, 2])))["mistakes"]
    assert [each["row"] for each in mistakes] == [0, 2, 3, 4]


def test_a_network_that_is_always_right_has_no_mistakes() -> None:
    report = evaluate(Echo(), dataset(10 * np.eye(3), np.arange(3)))
    assert report["mistakes"] == [] and report["accuracy"] == report["f1_macro"] == 1.0


@pytest.mark.parametrize("training", [True, False])
def test_dropout_rests_and_the_mode_stays(training: bool) -> None:
    scores_NK, labels_N = random_case(100)
    module = Echo().train(training)
    report = evaluate(module, dataset(scores_NK, labels_N), "train")
    assert report["accuracy"] == pytest.approx((scores_NK.argmax(1) == labels_N).mean())
    assert module.training is training and module.scale.grad is None


def test_an_empty_part_is_named() -> None:
    with pytest.raises(DataError, match=r"validation part of 'echoes' has no rows.*raise validation_fraction"):
        evaluate(Echo(), dataset(*random_case(5)), "validation")
