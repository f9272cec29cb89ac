"""What a deployed network is, how good it is, and a form to try it: for people who only use it."""

from __future__ import annotations

from typing import Any, ClassVar

from lepton_lab.errors import LeptonError
from lepton_lab.runs.endpoints import list_endpoints
from lepton_lab.session import Session
from lepton_lab.widgets.studio import Studio
from lepton_lab.widgets.studio_steps import endpoint_values, report_of, row_fields


class ModelCard(Studio):
    """The card of an endpoint. It asks the endpoint and changes nothing: every message but a question is left alone."""

    ALLOWED: ClassVar[frozenset[str]] = frozenset({"hello", "language", "predict"})

    def __init__(self, session: Session, name: str | None = None, **options: Any) -> None:
        """Opens the card of an endpoint, by default of the newest one; where there is none, the card says so.

        Raises:
            UnknownName: If there is no endpoint of the name.
        """
        super().__init__(session, public=True, only="deploy", step="deploy", locked=True, **options)
        self._name = name and session.endpoint(name).name
        self._jobs.submit(self._work, "deploy", "", self._show)

    def _take_over(self) -> None:
        """The run behind the endpoint is shown, not one that happens to be at work."""

    def _speak(self, language: str) -> None:
        super()._speak(language)
        if self.error:
            self._jobs.submit(self._work, "deploy", "", self._show)

    def _show(self) -> None:
        about = self._session.endpoint(self._name or _ready(self._session))
        summary = about.summary
        run = self._session.run(summary.run_id)
        self._run = run
        self.summary, self.run_id = run.summary.to_page(), run.id
        self.endpoint = endpoint_values(about)
        self.row_fields = row_fields(about)
        self.card = self._card_said(self._session.dataset_of(run).to_dict())
        try:
            self.report = report_of(run)
        except LeptonError:
            self.report = None

    def _on_message(self, _: Any, content: Any, buffers: Any) -> None:
        if isinstance(content, dict) and content.get("type") in self.ALLOWED:
            super()._on_message(_, content, buffers)


def _ready(session: Session) -> str | None:
    """The name of an endpoint that is online; None where none is."""
    return next((each.name for each in list_endpoints(session.store) if str(each.state) == "ready"), None)
