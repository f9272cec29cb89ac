"""What can be learnt, and what a network has to know about it before it is built.

Legend of shapes: B rows of a batch, K classes or targets, T steps or tokens, F features, H steps ahead, V words of
the vocabulary.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Task:
    """A kind of question.

    Attributes:
        name: "classification", ...
        metric: The figure that progress is judged by; series and events are called train_<metric>, val_<metric>.
        higher_is_better: Whether a greater metric is the better one.
        labels: Shape and type of a batch's labels.
        outputs: Shape of what a network returns for a batch.
        losses: Names of the losses that fit, the default first.
    """

    name: str
    metric: str
    higher_is_better: bool
    labels: str
    outputs: str
    losses: tuple[str, ...]


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("classification", "accuracy", True, "int64 (B,)", "(B, K)", ("cross_entropy", "focal")),
        Task("multilabel", "f1", True, "float32 (B, K) of 0 and 1", "(B, K)", ("bce", "focal")),
        Task("regression", "mae", False, "float32 (B, K), scaled", "(B, K)", ("mse", "huber", "mae")),
        Task("forecasting", "mse", False, "float32 (B, H, F), scaled", "(B, H, F)", ("mse", "huber", "mae")),
        Task("language", "perplexity", False, "int64 (B, T)", "(B, T, V)", ("cross_entropy",)),
        Task("rating", "rmse", False, "float32 (B,), scaled", "(B,)", ("mse", "huber", "mae")),
        Task("ranking", "hit_rate", True, "int64 (B,) items liked", "(B,)", ("bpr", "bce")),
        Task("detection", "map50", True, "boxes and classes, ragged", "of the detector's own", ("detection",)),
    )
}
"""Every task by name."""


@dataclass(frozen=True)
class Problem:
    """What a network is built for: the form of its input and of its answer. Ready for JSON.

    Attributes:
        task: A name of `TASKS`.
        modality: "image", "sequence", "table", "text", "audio", "series" or "interactions".
        input_shape: Shape of one row: (C, H, W) pictures and spectrograms, (T, F) sequences, (F,) tables, (T,) tokens,
            (2,) user and item. T is the longest row where rows have lengths of their own.
        output_shape: Shape of one answer: (K,), (H, F) or (T, V); () for a rating.
        has_lengths: Rows have lengths of their own: the network is called with `(inputs, lengths)`, lengths int64
            (B,), and rows are padded with zeros (token 0).
        vocabulary: Tokens, numbered from 0 (padding) and 1 (unknown); 0 where rows are no tokens. Inputs are int64.
        letter_groups: Texts whose words are looked into: groups of letters, numbered from 0 (padding); a row is then
            (T, 1 + G), each token beside the numbers of its groups. Networks of one's own get the tokens alone.
        cardinalities: Tables: values of each category column that is to be embedded. These columns stand last in a
            row, as whole numbers below their cardinality.
        num_users: Interactions: users; inputs are int64 (B, 2) of user and item.
        num_items: Interactions: items.
        classes: Names of the classes (or targets), where there are any.
        extra: What else a network of some kind should know, such as the period of a series.
    """

    task: str
    modality: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    has_lengths: bool = False
    vocabulary: int = 0
    letter_groups: int = 0
    cardinalities: tuple[int, ...] = ()
    num_users: int = 0
    num_items: int = 0
    classes: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def num_outputs(self) -> int:
        """How many numbers the last layer gives for a row (for a token, in language modelling)."""
        return self.output_shape[-1] if self.output_shape else 1

    def to_dict(self) -> dict[str, Any]:
        """The problem as plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Problem:
        """Builds a problem from `to_dict()` (lists become tuples)."""
        plain: dict[str, Any] = {key: tuple(item) if isinstance(item, list) else item for key, item in values.items()}
        return cls(**plain)
