"""Which display each object of a session has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lepton_lab.session import (
    ComparisonView,
    Compression,
    Dataset,
    Endpoint,
    EndpointList,
    GcView,
    Model,
    Prediction,
    Predictions,
    QueueView,
    Report,
    Run,
    RunDetails,
    RunList,
    Status,
    StudioView,
    Study,
    StudyList,
)
from lepton_lab.widgets import cards, compression, kept, lists, reports, runs, studies
from lepton_lab.widgets.data_card import data_card

_CARDS: dict[type, Callable[[Any], str]] = {
    Dataset: data_card,
    Model: cards.model_card,
    Endpoint: cards.endpoint_card,
    Prediction: cards.prediction_card,
    Predictions: cards.predictions_card,
    Report: reports.report_html,
    Compression: compression.compression_html,
    Study: studies.study_html,
    StudyList: studies.studies_html,
    RunList: lists.runs_card,
    EndpointList: lists.endpoints_card,
    Status: lists.status_card,
    RunDetails: kept.details_card,
    ComparisonView: kept.comparison_card,
    QueueView: kept.queue_card,
    GcView: kept.gc_card,
}


def bundle(thing: Any) -> dict[str, Any]:
    """The MIME bundle of an object: HTML for a page, text for the rest."""
    if isinstance(thing, Run):
        return runs.run_bundle(thing)
    card = _CARDS.get(type(thing))
    return {"text/plain": str(thing), **({"text/html": str(card(thing))} if card else {})}


def show(thing: Any) -> None:
    """Displays an object in the cell that runs."""
    from IPython.display import display

    if isinstance(thing, Run):
        runs.display_run(thing)
    elif isinstance(thing, Compression):
        compression.display_compression(thing)
    elif isinstance(thing, Study):
        studies.display_study(thing)
    elif isinstance(thing, StudioView):
        from lepton_lab.widgets.studio import Studio

        display(Studio(thing.session, public=thing.public))
    else:
        display(bundle(thing), raw=True)
        if isinstance(thing, Report) and thing.confusion:
            display(reports.confusion_bundle(thing), raw=True)
    runs.settle()
