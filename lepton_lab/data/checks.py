"""What is worth knowing before an hour of training: looked for once, when a dataset is prepared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import numpy as np

from lepton_lab.data.dataset import Split
from lepton_lab.data.material import Remark
from lepton_lab.data.rows import Windows

_IMBALANCE = 10
_MIN_CLASS_ROWS = 10
_FEW_DUPLICATES = 0.01
_KEY_VALUES = 48


def examine(splits: Mapping[str, Split], described: Mapping[str, Any]) -> list[Remark]:
    """Looks at the split rows.

    Args:
        splits: "train", "validation" and "test".
        described: Modality, classes, problem, and for tables the columns.
    """
    classes: list[str] = described["classes"]
    task = described.get("problem", {}).get("task", "classification")
    remarks = _empty(splits)
    if task == "classification":
        remarks = [*_classes(splits, classes), *remarks, *_balance(splits, classes)]
    elif task == "multilabel":
        remarks += _labels_absent(splits, classes)
    elif task in ("regression", "rating"):
        remarks += _targets_constant(splits, classes)
    if remark := _duplicates(splits):
        remarks.append(remark)
    return remarks


def _classes(splits: Mapping[str, Split], classes: list[str]) -> list[Remark]:
    if len(classes) < 2:
        only = f"the class {classes[0]!r} only" if classes else "no class"
        message = f"There is {only}; a classifier needs at least two. Check the target, or add rows of other classes."
        return [Remark("one_class", "error", message)]
    present = np.unique(splits["train"].labels)
    absent = [name for number, name in enumerate(classes) if number not in present]
    if absent and len(splits["train"]):
        names = _some(absent)
        return [
            Remark("class_not_trained", "warning", f"The training part has no row of {names}; it cannot be learnt.")
        ]
    return []


def _labels_absent(splits: Mapping[str, Split], labels: list[str]) -> list[Remark]:
    if not len(splits["train"]):
        return []
    marked = np.asarray(splits["train"].labels).sum(axis=0)
    absent = [name for name, count in zip(labels, marked, strict=True) if not count]
    if len(absent) == len(labels):
        return [Remark("one_class", "error", "No row of the training part has a label; there is nothing to learn.")]
    if absent:
        message = f"The training part has no row of {_some(absent)}; it cannot be learnt."
        return [Remark("class_not_trained", "warning", message)]
    return []


def _targets_constant(splits: Mapping[str, Split], names: list[str]) -> list[Remark]:
    labels = np.asarray(splits["train"].labels)
    if not len(labels):
        return []
    columns = labels.reshape(len(labels), -1)
    constant = [name for name, values in zip(names, columns.T, strict=False) if values.min() == values.max()]
    if not constant:
        return []
    severity = "error" if len(constant) == len(names) else "warning"
    message = f"The target {_some(constant)} has the same value in all training rows; there is nothing to learn."
    return [Remark("constant_target", severity, message)]


def _empty(splits: Mapping[str, Split]) -> list[Remark]:
    found = []
    if not len(splits["train"]):
        found.append(Remark("empty_split", "error", "The training part is empty; make the other parts smaller."))
    if not len(splits["validation"]):
        message = "The validation part is empty: progress is seen on the training rows only. Set validation_fraction."
        found.append(Remark("empty_split", "warning", message))
    if not len(splits["test"]):
        message = "The test part is empty: the trained network cannot be evaluated. Set test_fraction."
        found.append(Remark("empty_split", "warning", message))
    return found


def _balance(splits: Mapping[str, Split], classes: list[str]) -> list[Remark]:
    total = np.sum([np.bincount(part.labels, minlength=len(classes)) for part in splits.values()], axis=0)
    found = []
    if len(classes) > 1 and total.min() * _IMBALANCE < total.max():
        most, least = int(total.argmax()), int(total.argmin())
        message = (
            f"The classes are unequal: {total[most]:,} rows of {classes[most]!r}, {total[least]:,} of "
            f"{classes[least]!r}. Accuracy alone will mislead; look at recall per class."
        )
        found.append(Remark("imbalance", "warning", message))
    small = [name for name, count in zip(classes, total, strict=True) if 0 < count < _MIN_CLASS_ROWS]
    if small and len(classes) > 1:
        message = f"Fewer than {_MIN_CLASS_ROWS} rows: {_some(small)}; too few to learn or to judge."
        found.append(Remark("small_class", "warning", message))
    return found


def _duplicates(splits: Mapping[str, Split]) -> Remark | None:
    """Rows that stand both in the training part and in the test part, told by their content."""
    if isinstance(splits["test"].inputs, Windows):
        return None  # windows on one series overlap by nature; their parts are cut apart in time
    test, train = splits["test"].inputs, splits["train"].inputs
    if not len(test) or not len(train):
        return None
    test_keys, train_keys = _keys(test), _keys(train)
    both = set(test_keys) & set(train_keys)
    alike = [number for number, key in enumerate(test_keys) if key in both]
    trained = set(_digests(train, (number for number, key in enumerate(train_keys) if key in both)))
    num_same = sum(digest in trained for digest in _digests(test, alike))
    if not num_same:
        return None
    share = num_same / len(test)
    message = f"{num_same:,} of {len(test):,} test rows ({share:.1%}) are also in the training part"
    if share < _FEW_DUPLICATES:
        return Remark("duplicates", "note", message + ".")
    return Remark("duplicates", "warning", message + "; the test result will look better than it is.")


def _keys(rows: Any) -> list[bytes]:
    """A few of each row's bytes: most rows differ in them, and only the others have to be read whole."""
    if not isinstance(rows, np.ndarray):
        return [b""] * len(rows)
    flat = rows.view(np.ndarray).reshape(len(rows), -1)
    few = np.ascontiguousarray(flat[:, :: max(1, flat.shape[1] // _KEY_VALUES)])
    return [key.tobytes() for key in few]


def _digests(rows: Any, numbers: Iterable[int]) -> list[bytes]:
    if isinstance(rows, np.memmap):
        rows = rows.view(np.ndarray)  # a row of a mapped file is made into a mapping of its own, which takes its time
    return [blake2b(np.ascontiguousarray(rows[number]).tobytes(), digest_size=16).digest() for number in numbers]


def _some(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")
