"""A finished run's network, as its last checkpoint holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lepton_lab.data import PreparedDataset, load
from lepton_lab.errors import RunError
from lepton_lab.models.registry import build
from lepton_lab.runs.checkpoints import latest_checkpoint
from lepton_lab.runs.record import RunRecord
from lepton_lab.training.checkpoints import read_best

if TYPE_CHECKING:
    from torch import nn


def trained(record: RunRecord) -> tuple[nn.Module, PreparedDataset]:
    """The best network of a run in evaluation mode, on the CPU, and the dataset that it was trained on.

    Raises:
        RunError: If no intact checkpoint is left.
        LeptonError: If the dataset or the network cannot be had again.
    """
    spec = record.spec()
    found = latest_checkpoint(record.dir)
    if found is None:
        raise RunError(f"No intact checkpoint of {record.run_id} is left; train it again.")
    dataset = load(spec.data, record.store)
    module = build(spec.model, dataset.problem, starts_anew=False)
    module.load_state_dict(read_best(found[1]))
    return module.eval(), dataset
