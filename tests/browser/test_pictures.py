"""Each step and page looks as it did: pictures of made-up runs, the same each time, compared with kept ones."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.browser.pictures import cells, compare, differing, is_worse, take

JS = Path(__file__).parents[2] / "js"
STEPS = ("studio-data", "studio-model", "studio-train", "studio-evaluate", "studio-deploy")
SCENES = (*STEPS, "studio-new", "studio-error", "panel", "endpoint", "compare", "details", "failed", "gone")
# Every width with every theme and every language, each theme with each language: in four looks instead of eight.
LOOKS = [(1280, "light", "en"), (1280, "dark", "zh"), (800, "light", "zh"), (800, "dark", "en")]


@pytest.fixture(scope="module")
def harness() -> str:
    """The address of the page that shows every component with made-up data."""
    subprocess.run(["node", "scripts/harness.mjs"], cwd=JS, check=True, capture_output=True, timeout=120)
    return (JS / "tests/harness/out/index.html").as_uri()


def open_scene(page, harness: str, scene: str, theme: str = "light", language: str = "en") -> None:
    page.page.goto(f"{harness}?scene={scene}&theme={theme}&lang={language}")


@pytest.mark.parametrize(("width", "theme", "language"), LOOKS, ids=["-".join(map(str, look)) for look in LOOKS])
def test_nothing_looks_other_than_it_did(harness, watched, width, theme, language):
    page = watched(width=width, height=400, allow=[r"left the machine: file:.*"])
    wrong = []
    for scene in SCENES:
        open_scene(page, harness, scene, theme, language)
        wrong.append(compare(take(page.page), f"{scene}-{width}-{theme}-{language}"))
    assert not any(wrong), "\n".join([*filter(None, wrong), "If this is how it shall look: make pictures"])


def test_a_missing_button_is_seen_and_the_grain_of_letters_is_not(harness, watched):
    page = watched(height=400, allow=[r"left the machine: file:.*"])
    open_scene(page, harness, "studio-train")
    seen = cells(take(page.page))

    def worse() -> bool:
        return is_worse(differing(seen, cells(take(page.page))))

    page.page.add_style_tag(content="* { letter-spacing: 0.03px; }")
    assert not worse()
    for name in ("Stop", "Copy"):
        open_scene(page, harness, "studio-train")
        button = page.page.get_by_role("button", name=name, exact=True)
        button.evaluate("each => each.style.visibility = 'hidden'")
        assert worse(), f"{name} may go unseen"
    open_scene(page, harness, "studio-train", language="zh")
    assert worse()
