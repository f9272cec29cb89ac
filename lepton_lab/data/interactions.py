"""Users, items and what users thought of them: ratings to foretell, or what was chosen to rank.

Users and items are numbered from 1 in the training part; 0 is whoever or whatever it did not have.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lepton_lab.data.columns import as_category
from lepton_lab.data.forms import save_part, text_rows
from lepton_lab.data.material import Material, Remark
from lepton_lab.data.preparation import Preparation
from lepton_lab.errors import DataError, SpecError, UnknownName
from lepton_lab.specs import DataSpec, Problem

if TYPE_CHECKING:
    import polars as pl

    from lepton_lab.data.tabular import Table

_NAMES = {
    "user": ("user", "userid", "uid", "customer", "customerid", "reviewerid"),
    "item": (
        *("item", "itemid", "movie", "movieid", "product", "productid", "book", "bookid"),
        *("isbn", "song", "songid", "trackid", "asin"),
    ),
    "rating": ("rating", "ratings", "score", "stars", "overall"),
    "time": ("timestamp", "time", "unix_time", "date", "datetime", "unixreviewtime"),
}
NEVER_SEEN = 0


@dataclass(frozen=True)
class InteractionPreparation(Preparation):
    """Numbers of users and items.

    Attributes:
        users: The users of the training part, numbered from 1.
        items: Its items, numbered from 1.
        user_field: What the users' column is called.
        item_field: What the items' column is called.
    """

    kind: ClassVar[str] = "interactions"
    users: tuple[str, ...]
    items: tuple[str, ...]
    user_field: str = "user"
    item_field: str = "item"

    @property
    def stored_shape(self) -> tuple[int, ...]:
        return (2,)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (2,)

    def _scale(self, stored: np.ndarray) -> np.ndarray:
        return np.array(stored, np.int64, order="C")

    @cached_property
    def _numbers(self) -> tuple[dict[str, int], dict[str, int]]:
        users = {name: number for number, name in enumerate(self.users, start=1)}
        return users, {name: number for number, name in enumerate(self.items, start=1)}

    def number(self, users: Sequence[str], items: Sequence[str]) -> np.ndarray:
        """Stored rows of users and items, int32 (N, 2); 0 for those that training did not have."""
        by_user, by_item = self._numbers
        pairs = [
            (by_user.get(user, NEVER_SEEN), by_item.get(item, NEVER_SEEN))
            for user, item in zip(users, items, strict=True)
        ]
        return np.array(pairs, np.int32).reshape(-1, 2)

    def read(self, items: Sequence[Any]) -> np.ndarray:
        pairs = [self._pair(item, f"Item {place}") for place, item in enumerate(items)]
        return self.number([user for user, _ in pairs], [item for _, item in pairs])

    def _pair(self, item: Any, where: str) -> tuple[str, str]:
        if isinstance(item, Mapping):
            cells = [
                item[name] if name in item else item.get(plain)
                for name, plain in ((self.user_field, "user"), (self.item_field, "item"))
            ]
        else:
            cells = list(item) if isinstance(item, list | tuple | np.ndarray) and len(item) == 2 else [None, None]
        if any(cell is None or isinstance(cell, dict | list) for cell in cells):
            raise DataError(
                f"{where} is {str(item)[:60]}; expected {{{self.user_field!r}: ..., {self.item_field!r}: ...}} "
                "or a list of user and item."
            )
        return as_category(cells[0]), as_category(cells[1])

    def raw_item(self, raw: str, stored: np.ndarray) -> Any:
        return json.loads(raw)

    def signature(self) -> dict[str, Any]:
        return {"name": "input", "datatype": "INT64", "shape": [-1, 2]}

    def _fields(self) -> dict[str, Any]:
        return {
            "users": list(self.users),
            "items": list(self.items),
            "user_field": self.user_field,
            "item_field": self.item_field,
        }

    @classmethod
    def _from_fields(cls, fields: dict[str, Any]) -> InteractionPreparation:
        users, items = (tuple(str(name) for name in fields[key]) for key in ("users", "items"))
        if len(set(users)) < len(users) or len(set(items)) < len(items):
            raise ValueError("a user or an item stands in it twice")
        return cls(users, items, str(fields["user_field"]), str(fields["item_field"]))


@dataclass
class InteractionMaterial(Material):
    """Who met what.

    Attributes:
        users: Users of the rows, N texts.
        items: Items of the rows, N texts.
        fields: What the columns of users and items are called.
        moments: When it was (N,), where that is known.
        columns: What the card says of the columns.
        reason: Why it is this task.
    """

    users: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    fields: tuple[str, str] = ("user", "item")
    moments: np.ndarray | None = None
    columns: list[dict[str, Any]] = field(default_factory=list)
    reason: str = ""
    _preparation: InteractionPreparation | None = None
    _pairs: np.ndarray | None = None

    def __post_init__(self) -> None:
        user, item = self.fields
        rows = zip(self.users, self.items, strict=True)
        self.raw = text_rows([json.dumps({user: one, item: other}, ensure_ascii=False) for one, other in rows])

    @property
    def modality(self) -> str:
        return "interactions"

    def split(self, spec: DataSpec) -> dict[str, np.ndarray]:
        """Ratings are drawn; of what was chosen, each user's last one is the test, the one before it is watched."""
        self.times = self.moments if spec.split == "time" else None
        if self.task == "ranking" and spec.split == "auto":
            return self._last_ones(spec.split_seed)
        return super().split(spec)

    def _last_ones(self, seed: int) -> dict[str, np.ndarray]:
        _, users = np.unique(np.array(self.users), return_inverse=True)
        keys = np.random.Generator(np.random.PCG64(seed)).random(len(users))
        order = np.lexsort((keys, self.moments if self.moments is not None else keys, users))
        ordered = users[order]
        ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
        begins = np.append(0, ends[:-1] + 1)
        enough = ends - begins >= 2
        test, validation = order[ends[enough]], order[ends[enough] - 1]
        train = np.setdiff1d(np.arange(len(users)), np.concatenate([test, validation]))
        return {"train": train, "validation": np.sort(validation), "test": np.sort(test)}

    def fit(self, train_rows: np.ndarray, spec: DataSpec) -> Preparation:
        users = tuple(sorted({self.users[row] for row in train_rows}, key=_natural))
        items = tuple(sorted({self.items[row] for row in train_rows}, key=_natural))
        self._preparation = InteractionPreparation(users, items, *self.fields)
        self._pairs = self._preparation.number(self.users, self.items)
        if self.task == "ranking":
            self.labels = self._pairs[:, 1].astype(np.int64)
        unseen = np.setdiff1d(np.arange(len(self._pairs)), train_rows)
        if num_new := int((self._pairs[unseen] == NEVER_SEEN).any(axis=1).sum()):
            message = (
                f"{num_new:,} of {len(unseen):,} validation and test rows have a user or an item that the training "
                "part does not have; the network answers them with what it knows of the others."
            )
            self.remarks.append(Remark("unknown_ids", "note", message))
        return self._preparation

    def write(self, path: Path, rows: np.ndarray) -> None:
        if self._pairs is None:
            raise DataError("Users and items have no numbers yet; fit the preparation first.")
        save_part(path, self._pairs, rows)

    def problem(self, preparation: Preparation) -> Problem:
        num_users = num_items = 1
        if isinstance(preparation, InteractionPreparation):
            num_users, num_items = len(preparation.users) + 1, len(preparation.items) + 1
        return Problem(self.task, "interactions", (2,), (), num_users=num_users, num_items=num_items)

    def describe(self) -> dict[str, Any]:
        figures = {"all_users": len(set(self.users)), "all_items": len(set(self.items))}
        return {"columns": self.columns, "task_reason": self.reason, "details": figures}


def _natural(name: str) -> tuple[int, int, str]:
    return (0, int(name), name) if name.isascii() and name.isdigit() else (1, 0, name)


def find_interactions(table: Table, spec: DataSpec, roles: dict[str, str]) -> dict[str, str] | None:
    """Columns of user, item, rating and time, where a table has them and is to be learnt from as such.

    Raises:
        SpecError: When a recommendation is asked for and users or items cannot be found.
    """
    if spec.task not in ("auto", "rating", "ranking"):
        return None
    found = {role: name for name, role in roles.items() if role in _NAMES}
    free = {_plain(name): name for name in reversed(table.columns) if name not in roles}
    for role, known in _NAMES.items():
        name = next((free[_plain(word)] for word in known if _plain(word) in free), None)
        if role not in found and name is not None:
            found[role] = name
    if "user" in found and "item" in found:
        others = len(table.columns) - len(found)
        named = spec.task != "auto" or {"user", "item"} <= set(roles.values())
        target_fits = spec.target is None or spec.target == found.get("rating")
        if named or (others == 0 and target_fits):
            return found
        return None
    if spec.task != "auto":
        lacking = " and ".join(role for role in ("user", "item") if role not in found)
        raise SpecError(f"data: task is {spec.task!r}, but no column is plainly the {lacking}; name it with roles "
                        "(column=user, column=item, column=rating).")  # fmt: skip
    return None


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "").replace(" ", "")


def interactions_from_table(
    table: Table, spec: DataSpec, title: str, found: dict[str, str], remarks: Sequence[Remark]
) -> InteractionMaterial:
    """Ratings or choices of a table.

    Raises:
        DataError: A row has no user or item, or a rating is no number.
    """
    import polars as pl

    from lepton_lab.data.table_columns import clean_texts, read_column

    users, items = (clean_texts(_ids(table[found[role]])) for role in ("user", "item"))
    for series in (users, items):
        if series.null_count():
            row = int(series.is_null().arg_true()[0])
            raise DataError(f"{title}: data row {row + 1:,} has no value in {series.name!r}; every row needs one.")
    task = spec.task if spec.task != "auto" else ("rating" if "rating" in found else "ranking")
    if task == "rating" and "rating" not in found:
        raise UnknownName("column", "rating", table.columns)
    ratings = np.zeros(table.height)
    if task == "rating":
        column = read_column(table[found["rating"]], "number")
        if column.num_missing:
            raise DataError(f"{title}: {column.num_missing:,} rows have no rating; every row needs one.")
        ratings = column.cells.to_numpy().astype(np.float64)
    moments = None
    if "time" in found:
        when = read_column(table[found["time"]])
        moments = when.cells.to_numpy() if when.cells.dtype == pl.Float64 and not when.num_missing else None
    role_of = {name: role for role, name in found.items()}
    columns = [
        {
            "name": name,
            "kind": role_of.get(name, "ignored"),
            "role": role_of.get(name, "ignored"),
            "missing": 0,
            "stored": 0,
        }
        for name in table.columns
    ]
    reason = "as asked" if spec.task != "auto" else f"there are users and items{', with ratings' * (task == 'rating')}"
    return InteractionMaterial(
        classes=[],
        labels=ratings if task == "rating" else np.zeros(table.height, np.int64),
        row_ids=np.arange(table.height),
        remarks=list(remarks),
        task=task,
        low=float(ratings.min()) if task == "rating" and len(ratings) else None,
        high=float(ratings.max()) if task == "rating" and len(ratings) else None,
        users=users.to_list(),
        items=items.to_list(),
        fields=(found["user"], found["item"]),
        moments=moments,
        columns=columns,
        reason=reason,
    )


def _ids(series: pl.Series) -> pl.Series:
    import polars as pl

    if series.dtype.is_float():
        return pl.Series(series.name, [None if cell is None else as_category(cell) for cell in series.to_list()])
    return series.cast(pl.String)
