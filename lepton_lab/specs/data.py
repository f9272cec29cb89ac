"""Which dataset, and how it is split and prepared."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, model_validator

from lepton_lab.specs.base import Fraction, Spec, option

Role = Literal[
    "number", "category", "text", "date", "target", "ignored", "group", "time", "split", "user", "item", "rating"
]
"""What a column can be."""

ROLES: tuple[str, ...] = Role.__args__  # type: ignore[attr-defined]
"""Every role of a column."""


def _roles_text(given: Any) -> Any:
    """Roles as one text: a dict, or "column=role,column=role"; the same roles give the same text."""
    if given is None or given == "" or given == {}:
        return None
    return write_roles(given if isinstance(given, dict) else read_roles(str(given)))


def read_roles(text: str | None) -> dict[str, str]:
    """Roles by column from their text: "age=number,zip=category", or JSON where names have commas or signs of equality.

    Raises:
        ValueError: In a plain sentence.
    """
    text = (text or "").strip()
    if text.startswith("{"):
        try:
            return {str(name): str(role) for name, role in json.loads(text).items()}
        except ValueError as error:
            raise ValueError(f"roles cannot be read as JSON ({error}); expected column=role,column=role.") from None
    pairs = [part.rpartition("=") for part in text.split(",") if part.strip()]
    strange = next((role for name, _, role in pairs if not name.strip()), None)
    if strange is not None:
        raise ValueError(f"roles has {strange.strip()!r}; expected column=role,column=role.")
    return {name.strip(): role.strip() for name, _, role in pairs}


def write_roles(roles: dict[str, str]) -> str:
    """The text of roles by column, as `read_roles` takes it.

    Raises:
        ValueError: In a plain sentence, when a role does not exist.
    """
    for name, role in roles.items():
        if role not in ROLES:
            raise ValueError(f"roles gives {str(name)!r} the role {str(role)!r}; expected one of {', '.join(ROLES)}.")
    ordered = {str(name): str(role) for name, role in sorted(roles.items(), key=lambda pair: str(pair[0]))}
    if any(set(name) & set(",={") or name != name.strip() or not name for name in ordered):
        return json.dumps(ordered, ensure_ascii=False)
    return ",".join(f"{name}={role}" for name, role in ordered.items())


def _values_text(given: Any) -> Any:
    """Values by name as one JSON text: a dict, JSON, or "name=value,name=value"."""
    if given is None or given == "" or given == {}:
        return None
    if isinstance(given, str) and not given.strip().startswith("{"):
        pairs = [part.partition("=") for part in given.split(",") if part.strip()]
        if any(not sign or not name.strip() for name, sign, _ in pairs):
            raise ValueError("parameters are to be name=value,name=value, or JSON.")
        given = {name.strip(): _plain(value.strip()) for name, _, value in pairs}
    elif isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError as error:
            raise ValueError(f"parameters cannot be read as JSON ({error}).") from None
    if not isinstance(given, dict) or not all(isinstance(value, _PLAIN) or value is None for value in given.values()):
        raise ValueError("parameters are to be texts, numbers, true, false or null by name.")
    return json.dumps(given, ensure_ascii=False, sort_keys=True)


_PLAIN = (str, int, float, bool)


def _plain(text: str) -> Any:
    """A value as JSON has it, or the text itself."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, _PLAIN) or value is None else text


def _no_address(given: Any) -> Any:
    if isinstance(given, str) and ("://" in given or "@" in given):
        raise ValueError(
            "connection looks like an address, which could hold a password; put it into an environment variable or a "
            "keyring and give that name."
        )
    return given


RolesText = Annotated[str, BeforeValidator(_roles_text)]
ValuesText = Annotated[str, BeforeValidator(_values_text)]
ConnectionName = Annotated[str, BeforeValidator(_no_address)]


class DataSpec(Spec):
    """Which dataset, and how it is split and prepared."""

    name: str = option(
        "digits", "A dataset's name, or the path of a file (CSV, Parquet, Arrow, JSON lines, text, ...) or folder"
    )
    target: str | None = option(
        None, "Tables: the column to predict, or several with commas (default: one called label/target, or the last)"
    )
    task: Literal[
        "auto",
        "classification",
        "multilabel",
        "regression",
        "forecasting",
        "language",
        "rating",
        "ranking",
        "detection",
    ] = option("auto", "What is learnt (auto: told from the data, and shown)")
    roles: RolesText | None = option(
        None, f"Tables: what columns are, as column=role,column=role; roles: {', '.join(ROLES)}"
    )
    mirror: str | None = option(None, "A folder or URL to take a public dataset from, for sites without internet")
    validation_fraction: Fraction = option(0.1, "Share of the training rows kept to watch progress", advanced=True)
    test_fraction: Fraction = option(
        0.2, "Share of all rows kept for the final test, where the source has no test part of its own", advanced=True
    )
    split: Literal["auto", "random", "stratified", "group", "time"] = option(
        "auto", "How rows are divided (auto: the source's own parts, else by time or group column, else stratified)"
    )
    split_seed: int = option(0, "Seed of the random split", advanced=True, ge=0, le=2**31 - 1)
    normalize: Literal["auto", "standard", "minmax", "none"] = option(
        "auto", "Scaling of the inputs; statistics come from the training part alone"
    )
    missing: Literal["auto", "drop", "fill"] = option(
        "auto", "Rows with missing values: drop them, or fill with the training part's median or most frequent value"
    )
    duplicates: Literal["keep", "drop"] = option("keep", "Rows that are the same in every used column: keep or drop")
    outliers: Literal["keep", "clip", "drop"] = option(
        "keep", "Numbers far outside the middle half of the training part (3 times its width): keep, clip or drop"
    )
    categories: Literal["auto", "one_hot", "embed"] = option(
        "auto", "Categories as one input per value, or as a learnt vector (auto: a vector from 33 values on)"
    )
    balance: Literal["none", "oversample", "undersample"] = option(
        "none", "Classes of unequal size: repeat training rows of small ones, or leave out rows of large ones"
    )
    tokenizer: Literal["auto", "words", "bpe", "characters"] = option(
        "auto", "Texts: what a token is (auto: words; characters where texts are single words or one long text)"
    )
    vocabulary_size: int | None = option(
        None, "Texts: the most tokens told apart (default: 20,000 words, 8,000 pieces of bpe)", ge=16, le=500_000
    )
    letter_groups: Literal["auto", "on", "off"] = option(
        "auto",
        "Texts: look into words, at groups of three to five letters, so that unknown ones tell something "
        "(auto: where words are tokens, up to a million of them)",
        advanced=True,
    )
    max_length: int | None = option(
        None, "Texts: tokens of a row after which it is cut (default: told from the data)", ge=2, le=65_536
    )
    window: int | None = option(
        None, "Series and corpora: steps or tokens that are seen at once (default: told from the data)", ge=2, le=65_536
    )
    horizon: int | None = option(None, "Forecasting: steps to foretell (default: 24 or less)", ge=1, le=10_000)
    image_size: int | None = option(
        None, "Side that pictures of a folder are resized to (default: chosen from the files)", unit="px", ge=8, le=1024
    )
    image_fit: Literal["auto", "crop", "squeeze", "pad"] = option(
        "auto",
        "Pictures of other proportions: cut the middle out, change the proportions, or fill the sides "
        "(auto: crop, with boxes pad)",
        advanced=True,
    )
    pattern: str | None = option(
        None, "Folders: the fields of the file names, such as {label}_{speaker}_{index} (default: a folder per class)"
    )
    label_table: str | None = option(
        None, "Folders: a CSV file with a column of file names and one of labels (default: the only one in the folder)"
    )
    test_where: str | None = option(
        None, "Folders: the test part by a field of the files, such as speaker=theo or index<5", advanced=True
    )
    sample_rate: int | None = option(
        None, "Sounds: samples a second (default: the files', at most 16,000)", unit="Hz", ge=1_000, le=96_000
    )
    clip_seconds: float | None = option(
        None, "Sounds: length of a clip (default: what leaves 98 of 100 files whole)", unit="s", ge=0.05, le=600
    )
    audio_features: Literal["log_mel", "mfcc"] = option(
        "log_mel", "Sounds: what the network is given: a log-mel spectrogram, or its cepstral coefficients"
    )
    num_mels: int = option(40, "Sounds: bands of the spectrogram", advanced=True, ge=8, le=256)
    time_split: str | None = option(
        None,
        "Series: train/validation/test as rows (8640/2880/2880), shares (0.7/0.1/0.2) or time (12/4/4 months) "
        "(default: by the shares of the parts)",
        advanced=True,
    )
    connection: ConnectionName | None = option(
        None, "SQL: the environment variable or keyring entry that holds a database's SQLAlchemy address"
    )
    query: str | None = option(None, "SQL: one SELECT statement; its parameters are written :name")
    parameters: ValuesText | None = option(None, "SQL: values of the parameters, as name=value,name=value or JSON")
    fingerprint: str | None = option(
        None, "Set for arrays and frames from a notebook: the content's fingerprint in the cache", advanced=True
    )

    @model_validator(mode="after")
    def _leaves_training_rows(self) -> Self:
        if self.validation_fraction + self.test_fraction >= 0.95:
            total = self.validation_fraction + self.test_fraction
            raise ValueError(
                f"validation_fraction and test_fraction add up to {total:g}; leave at least 0.05 for training."
            )
        return self

    @model_validator(mode="after")
    def _asks_the_database_whole(self) -> Self:
        if (self.connection is None) != (self.query is None):
            lacking = "query" if self.query is None else "connection"
            raise ValueError(f"{lacking} is missing; a database needs connection (a name, never an address) and query.")
        if self.parameters is not None and self.query is None:
            raise ValueError("parameters belong to a query; there is none.")
        return self

    def parameter_by_name(self) -> dict[str, Any]:
        """The values of the query's parameters."""
        return dict(json.loads(self.parameters)) if self.parameters else {}

    def role_by_column(self) -> dict[str, str]:
        """The roles that were set, by column."""
        return read_roles(self.roles)
