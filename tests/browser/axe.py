"""What axe-core says about a part of a page."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "js/node_modules/axe-core/axe.min.js"
ASK = """async selector => {
  const found = await axe.run(selector, {resultTypes: ['violations']});
  return found.violations.filter(each => ['serious', 'critical'].includes(each.impact))
    .map(each => `${each.id}: ${each.help}: ${each.nodes.map(node => node.html.slice(0, 160)).join(' | ')}`);
}"""


def serious(page: Page, selector: str) -> list[str]:
    """What axe-core finds serious or critical in a part of a page, whatever the page allows to run."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    return list(page.evaluate(ASK, selector))
