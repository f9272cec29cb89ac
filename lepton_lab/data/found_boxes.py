"""Boxes in pictures, numpy only: how much two overlap, which of many to keep, and a detector's outputs as a list.

The same code in training, evaluation and the inference server. A box is (left, top, right, bottom) in pixels.

Legend of shapes: B pictures, N places of a detector, M boxes, K classes.
"""

from __future__ import annotations

import numpy as np

MOST_BOXES = 300
"""Boxes that are reported for a picture at most."""

CANDIDATES = 1_000
"""Surest boxes of a picture that are compared with each other."""


def overlaps(first_M4: np.ndarray, second_N4: np.ndarray) -> np.ndarray:
    """Shared area through area of both together, of every pair of boxes.

    Args:
        first_M4: Boxes.
        second_N4: Other boxes.

    Returns:
        Shares between 0 and 1, (M, N); 0 where a box has no area.
    """
    upper = np.maximum(first_M4[:, None, :2], second_N4[None, :, :2])
    lower = np.minimum(first_M4[:, None, 2:4], second_N4[None, :, 2:4])
    shared = np.clip(lower - upper, 0, None).prod(2)
    both = areas(first_M4)[:, None] + areas(second_N4)[None, :] - shared
    shares: np.ndarray = np.zeros_like(shared, dtype=np.float64)
    np.divide(shared, both, out=shares, where=both > 0)
    return shares


def areas(boxes_M4: np.ndarray) -> np.ndarray:
    """Area of each box (M,), 0 where an edge lies on the wrong side."""
    sides = np.clip(boxes_M4[:, 2:4] - boxes_M4[:, :2], 0, None)
    return np.asarray(sides.prod(1))


def keep(boxes_M4: np.ndarray, confidences_M: np.ndarray, classes_M: np.ndarray, overlap: float) -> np.ndarray:
    """Drops every box that overlaps a surer one of its class too much (non-maximum suppression).

    Args:
        boxes_M4: Boxes.
        confidences_M: How sure each is.
        classes_M: Class of each.
        overlap: Largest share that two kept boxes of a class may have in common.

    Returns:
        Numbers of the kept boxes, the surest first, int64.
    """
    order = np.argsort(-confidences_M, kind="stable")
    boxes, classes = boxes_M4[order].astype(np.float64), classes_M[order]
    is_open = np.ones(len(order), dtype=bool)
    kept = []
    for place in range(len(order)):
        if not is_open[place]:
            continue
        kept.append(order[place])
        rest = np.flatnonzero(is_open[place + 1 :] & (classes[place + 1 :] == classes[place])) + place + 1
        if len(rest):
            is_open[rest[overlaps(boxes[place : place + 1], boxes[rest])[0] > overlap]] = False
    return np.array(kept, dtype=np.int64)


def decode(outputs_BNX: np.ndarray, *, confidence: float = 0.05, overlap: float = 0.5) -> list[np.ndarray]:
    """What a detector says, as boxes.

    Args:
        outputs_BNX: Its outputs (B, N, 4 + K): a box and a score of each class, before the sigmoid, at each place.
        confidence: Boxes that are less sure are left out.
        overlap: See `keep`.

    Returns:
        For each picture float32 (M, 6): left, top, right, bottom, confidence, class; the surest first, at most
        `MOST_BOXES`.
    """
    return [_decode_one(np.asarray(each, np.float64), confidence, overlap) for each in outputs_BNX]


def _decode_one(outputs_NX: np.ndarray, confidence: float, overlap: float) -> np.ndarray:
    confidences_NK = 1 / (1 + np.exp(-np.clip(outputs_NX[:, 4:], -60, 60)))
    places, classes = np.nonzero(confidences_NK >= confidence)
    sure = confidences_NK[places, classes]
    best = np.argsort(-sure, kind="stable")[:CANDIDATES]
    places, classes, sure = places[best], classes[best], sure[best]
    kept = keep(outputs_NX[places, :4], sure, classes, overlap)[:MOST_BOXES]
    rows = np.column_stack([outputs_NX[places[kept], :4], sure[kept], classes[kept]])
    return rows.reshape(-1, 6).astype(np.float32)
