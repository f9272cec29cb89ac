"""The studio in the language of whoever looks at it, which is the page's and not always the kernel's."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from lepton_lab.words import say, speaking


class Spoken:
    """The part of `Studio` that says the kernel's sentences in the page's language."""

    locale: str
    _page_language: str | None = None
    """What the page has said of itself; None until then: the kernel's own language."""

    def _speaking(self) -> AbstractContextManager[None]:
        """The page's language, for what is said within."""
        return speaking(self.locale or self._page_language)

    def _say(self, sentence: str) -> str:
        with self._speaking():
            return say(sentence)

    def _card_said(self, card: dict[str, Any]) -> dict[str, Any]:
        """A dataset's card with its sentences said; names and values are the data's own."""
        with self._speaking():
            return {
                **card,
                "task_reason": say(card.get("task_reason") or ""),
                "warnings": [{**each, "message": say(each["message"])} for each in card["warnings"]],
                "columns": [{**each, "reason": say(each.get("reason") or "")} for each in card["columns"]],
            }

    def _variants_said(self, table: dict[str, Any]) -> dict[str, Any]:
        """The table of variants with its sentences said."""
        with self._speaking():
            rows = [{**row, "problem": row["problem"] and say(row["problem"])} for row in table["rows"]]
            said = {key: say(table.get(key) or "") for key in ("step", "reason", "message")}
            return {**table, **said, "rows": rows}
