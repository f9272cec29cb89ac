"""Which dataset, and how it is split and prepared."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from lepton_lab.specs.base import Fraction, Spec, option


class DataSpec(Spec):
    """Which dataset, and how it is split and prepared."""

    name: str = option("digits", "A dataset's name, or the path of a CSV file or of a folder with a folder per class")
    target: str | None = option(None, "CSV: the column to predict (default: the last one, or one called label/target)")
    mirror: str | None = option(None, "A folder or URL to take a public dataset from, for sites without internet")
    validation_fraction: Fraction = option(0.1, "Share of the training rows kept to watch progress", advanced=True)
    test_fraction: Fraction = option(
        0.2, "Share of all rows kept for the final test, where the source has no test part of its own", advanced=True
    )
    split_seed: int = option(0, "Seed of the random split", advanced=True, ge=0, le=2**31 - 1)
    normalize: Literal["auto", "standard", "minmax", "none"] = option(
        "auto", "Scaling of the inputs; statistics come from the training part alone"
    )
    missing: Literal["auto", "drop", "fill"] = option(
        "auto", "Rows with missing values: drop them, or fill with the training part's median or most frequent value"
    )
    image_size: int | None = option(
        None, "Side that pictures of a folder are resized to (default: chosen from the files)", unit="px", ge=8, le=1024
    )
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
