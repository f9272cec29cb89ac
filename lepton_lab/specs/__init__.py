"""What a person can ask for: the one source of validation, JSON, form fields, magic options and TypeScript types.

Every option of every face is a field here, with its type, bounds, default, one-line help and group ("simple"
options are in sight, "advanced" ones a click away). `tasks` says what can be learnt and what a network is given.
This room needs pydantic and nothing else.
"""

from lepton_lab.specs.base import NAME_PATTERN, SCHEMA_VERSION, Fraction, Name, Spec, option
from lepton_lab.specs.compress import CompressSpec
from lepton_lab.specs.data import DataSpec
from lepton_lab.specs.deploy import DeploySpec
from lepton_lab.specs.models import MODEL_OPTIONS, ModelSpec
from lepton_lab.specs.network_options import (
    Cnn1dOptions,
    CnnOptions,
    CrnnOptions,
    DetectorOptions,
    FactorisationOptions,
    LanguageOptions,
    LinearOptions,
    MlpOptions,
    QuicknetOptions,
    ResnetOptions,
    RnnOptions,
    TableResnetOptions,
    TcnOptions,
    TransformerOptions,
    TwoTowerOptions,
)
from lepton_lab.specs.networks import NETWORK_CARDS, NetworkCard, default_network, networks_for, require_suits
from lepton_lab.specs.run import SPECS, RunSpec
from lepton_lab.specs.tasks import TASKS, Problem, Task
from lepton_lab.specs.train import TrainSpec
from lepton_lab.specs.tune import TuneSpec

__all__ = [
    "MODEL_OPTIONS",
    "NAME_PATTERN",
    "NETWORK_CARDS",
    "SCHEMA_VERSION",
    "SPECS",
    "TASKS",
    "Cnn1dOptions",
    "CnnOptions",
    "CompressSpec",
    "CrnnOptions",
    "DataSpec",
    "DeploySpec",
    "DetectorOptions",
    "FactorisationOptions",
    "Fraction",
    "LanguageOptions",
    "LinearOptions",
    "MlpOptions",
    "ModelSpec",
    "Name",
    "NetworkCard",
    "Problem",
    "QuicknetOptions",
    "ResnetOptions",
    "RnnOptions",
    "RunSpec",
    "Spec",
    "TableResnetOptions",
    "Task",
    "TcnOptions",
    "TrainSpec",
    "TransformerOptions",
    "TuneSpec",
    "TwoTowerOptions",
    "default_network",
    "networks_for",
    "option",
    "require_suits",
]
