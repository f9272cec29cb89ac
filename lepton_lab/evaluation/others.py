"""Figures of language models, rankings and detectors: what their scores bring along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lepton_lab.data import PreparedDataset
    from lepton_lab.training.objective import Scores


def of_language(scores: Scores, dataset: PreparedDataset, split: str) -> dict[str, Any]:
    """Nothing besides perplexity and loss (nats a token); bits a token for who counts in bits."""
    return {"bits_per_token": scores.loss / 0.6931471805599453}


def of_ranking(scores: Scores, dataset: PreparedDataset, split: str) -> dict[str, Any]:
    """The hit rate under the name that the field knows, and NDCG."""
    return {"hit_rate@10": scores.metric, "ndcg@10": scores.more["ndcg"], "ndcg": scores.more["ndcg"]}


def of_boxes(scores: Scores, dataset: PreparedDataset, split: str) -> dict[str, Any]:
    """Mean average precision at all overlaps, and of each class (None for a class without a true box)."""
    of_class = scores.more["map50_of_class"]
    labels = dataset.splits[split].labels
    counts = [int((labels.values[:, 4] == k).sum()) for k in range(len(dataset.classes))]
    return {
        "map": scores.more["map"],
        "classes": [
            {"name": name, "map50": precision, "support": count}
            for name, precision, count in zip(dataset.classes, of_class, counts, strict=True)
        ],
    }
