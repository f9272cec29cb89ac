"""What a run is started with, and the specs that have a form and a verb."""

from __future__ import annotations

from lepton_lab.specs.base import SCHEMA_VERSION, Spec
from lepton_lab.specs.compress import CompressSpec
from lepton_lab.specs.data import DataSpec
from lepton_lab.specs.deploy import DeploySpec
from lepton_lab.specs.models import ModelSpec
from lepton_lab.specs.train import TrainSpec


class RunSpec(Spec):
    """All that a worker needs to start: written once as a run's `spec.json`."""

    schema_version: int = SCHEMA_VERSION
    data: DataSpec
    model: ModelSpec
    train: TrainSpec


SPECS: dict[str, type[Spec]] = {
    "data": DataSpec,
    "model": ModelSpec,
    "train": TrainSpec,
    "compress": CompressSpec,
    "deploy": DeploySpec,
}
"""The specs that have a form and a verb."""
