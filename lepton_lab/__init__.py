"""lepton_lab: train a network from a notebook, watch it live, and put it online.

Names are handed on lazily: importing this package costs next to nothing and never imports torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lepton_lab.api import (
        compare,
        compress,
        deploy,
        endpoint,
        evaluate,
        export_runs,
        free_space,
        import_run,
        list_endpoints,
        list_runs,
        load_data,
        predict,
        preprocess_data,
        queue,
        run,
        select_model,
        status,
        studies,
        studio,
        study,
        train,
        tune,
    )
    from lepton_lab.errors import LeptonError
    from lepton_lab.magics import load_ipython_extension as load_ipython_extension
    from lepton_lab.magics import unload_ipython_extension as unload_ipython_extension
    from lepton_lab.session import Dataset, Endpoint, Model, Report, Run, Session

__version__ = "0.1.0"

_HOMES = {
    "errors": ("LeptonError",),
    "magics": ("load_ipython_extension", "unload_ipython_extension"),
    "session": ("Dataset", "Endpoint", "Model", "Report", "Run", "Session"),
    "api": (
        "compare",
        "export_runs",
        "free_space",
        "import_run",
        "queue",
        "compress",
        "deploy",
        "endpoint",
        "list_endpoints",
        "evaluate",
        "load_data",
        "predict",
        "preprocess_data",
        "run",
        "list_runs",
        "select_model",
        "status",
        "studies",
        "studio",
        "study",
        "train",
        "tune",
    ),
}

__all__ = [
    "Dataset",
    "Endpoint",
    "LeptonError",
    "Model",
    "Report",
    "Run",
    "Session",
    "compare",
    "compress",
    "deploy",
    "endpoint",
    "evaluate",
    "export_runs",
    "free_space",
    "import_run",
    "list_endpoints",
    "list_runs",
    "load_data",
    "predict",
    "preprocess_data",
    "queue",
    "run",
    "select_model",
    "status",
    "studies",
    "studio",
    "study",
    "train",
    "tune",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"lepton_lab.{module}"), name)
    raise AttributeError(f"module 'lepton_lab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
