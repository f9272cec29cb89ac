"""How options are searched: which ones, between what, how many trials, which of them are given up early."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from lepton_lab.errors import LeptonError
from lepton_lab.specs.base import Name, Spec, option
from lepton_lab.specs.search import dimensions


class TuneSpec(Spec):
    """How options are searched: a study is a set of trials, and each trial is an ordinary run."""

    search: str = option(
        "auto",
        "Options to search, as ranges and lists: learning_rate=1e-4..1e-1 optimizer=adamw,sgd model_channels=8..64 "
        "(auto: learning rate and weight decay)",
    )
    trials: int = option(20, "How many trials", ge=1, le=10_000)
    parallel: int | None = option(
        None,
        "Trials at work at the same time (default: one for each device that is there; on a cluster, as many as it has "
        "room for)",
        ge=1,
        le=1024,
    )
    prune: Literal["asha", "median", "none"] = option(
        "asha", "Give up trials that fall behind: successive halving, or those below the median of the others"
    )
    method: Literal["tpe", "random"] = option(
        "tpe", "Where to look next: near what did well (TPE), or anywhere", advanced=True
    )
    objective: Literal["metric", "loss"] = option(
        "metric",
        "What the best trial is best in, on the validation part: the task's figure, or the loss",
        advanced=True,
    )
    minutes: float | None = option(
        None, "Begin no trial after so many minutes", advanced=True, gt=0, le=1_000_000, unit="min"
    )
    sampler_seed: int = option(0, "Seed of the search", advanced=True, ge=0, le=2**31 - 1)
    study: Name | None = option(
        None, "Name of the study; one that is there goes on (default: dataset, network and a number)"
    )

    @field_validator("search")
    @classmethod
    def _can_be_read(cls, search: str) -> str:
        try:
            dimensions(search)
        except LeptonError as error:
            raise ValueError(str(error)) from None
        return search
