"""The looks that a whole page has: wide and narrow, light and dark, English and Chinese, in four instead of eight."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page

from tests.browser.chromium import ARTIFACTS
from tests.browser.lab import THEMES
from tests.browser.pictures import compare, take

LOOKS = {"en": [(1280, "light"), (800, "dark")], "zh": [(1280, "dark"), (800, "light")]}
"""By language: every width with every theme and every language, each theme with each language."""
LANGUAGE_CODES = {"en": "default", "zh": "zh_CN"}
"""What JupyterLab's setting `locale` calls them."""
NO_FOCUS = ".jp-Notebook-cell.jp-mod-active, .jp-Notebook-cell.jp-mod-active * { visibility: hidden !important; }"
"""JupyterLab frames the cell that has the focus, and gives it away again whenever something else has loaded."""
NO_VOILA = '[data-jp-item-name="voilaRender"] { display: none !important; }'
"""Voilà puts its button behind another one, or last where that has not come yet."""
AGAIN = "If this is how it shall look: make pictures"


def look_at(
    page: Page, name: str, language: str, height: int = 400, use_lab_theme: Callable[[str], None] | None = None
) -> list[str]:
    """A page in each of the looks that it has in a language; what is other than it was.

    Args:
        page: The page, in this language.
        name: What the pictures are called.
        language: "en" or "zh".
        height: Of the window, in pixels; a page that is taller is taken whole.
        use_lab_theme: How the page gets a theme of JupyterLab; None: it follows the system.
    """
    wrong = []
    for width, theme in LOOKS[language]:
        page.set_viewport_size({"width": width, "height": height})
        if use_lab_theme:
            use_lab_theme(THEMES[theme])
            page.add_style_tag(content=NO_FOCUS + NO_VOILA)
        else:
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        seen, look = take(page), f"{name}-{width}-{theme}-{language}"
        ARTIFACTS.mkdir(exist_ok=True)
        (ARTIFACTS / f"{look}.png").write_bytes(seen)
        wrong.append(compare(seen, look))
    return [each for each in wrong if each]
