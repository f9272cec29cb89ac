"""The studio in the Voilà dashboard (in JupyterLab: test_newcomer): from data to an answer, in both languages."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest
from playwright.sync_api import expect

from tests.browser.axe import serious
from tests.browser.english import english_left
from tests.browser.studio import RUN_MS, Studio


def whole_job(studio: Studio, page, look: str, name: str) -> list[str]:
    """From a dataset to an answer, with a picture of each step; what axe-core and the search for English find."""
    found = []

    def look_at(step: str) -> None:
        page.shoot(f"dashboard-{look}-{step}")
        found.extend(f"{step}: {each}" for each in serious(page.page, "body"))
        if look.endswith("zh"):
            found.extend(f"{step}: English: {text}" for text in english_left(page.page, names={name}))

    look_at("0-open")
    studio.load_digits()
    look_at("1-data")
    studio.select_cnn()
    look_at("2-model")
    chip = studio.start(epochs=8)
    look_at("3-training")
    expect(chip).to_have_text(studio.word("finished"), timeout=RUN_MS)
    look_at("3-trained")
    studio.show_report()
    look_at("4-report")
    studio.deploy(name)
    look_at("5-deployed")
    studio.predict(0)
    look_at("5-predicted")
    return found


@pytest.mark.parametrize(("dark", "language"), [(False, "en"), (True, "zh")], ids=["light-en", "dark-zh"])
def test_the_dashboard_does_the_whole_job(dashboard, watched, dark, language):
    page = watched(dark=dark)
    page.page.goto(dashboard.url(lang=language))
    studio = Studio(page.page.locator("body"), chinese=language == "zh")
    expect(studio.root).to_be_visible()
    expect(page.page.locator(".jp-InputArea, .jp-Cell-inputWrapper")).to_have_count(0)
    look = f"{'dark' if dark else 'light'}-{language}"
    found = whole_job(studio, page, look, f"dash-{look}")
    assert not found, "\n".join(found)


def test_the_dashboard_folds_on_a_narrow_window(dashboard, watched):
    page = watched(width=800)
    page.page.goto(dashboard.url())
    studio = Studio(page.page.locator("body"))
    expect(studio.root).to_be_visible()
    studio.load_digits()
    for width in (800, 400):
        page.page.set_viewport_size({"width": width, "height": 860})
        page.shoot(f"dashboard-narrow-{width}")
        overflow = page.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{overflow} px stick out at {width} px"


def test_the_page_loads_its_own_program_alone_and_says_when_the_kernel_is_gone(dashboard, watched):
    page = watched()
    page.page.goto(dashboard.url(lang="zh"))
    expect(Studio(page.page.locator("body")).root).to_be_visible()
    loaded = page.page.evaluate("performance.getEntriesByType('resource').map(each => new URL(each.name).pathname)")
    assert [path for path in loaded if path.endswith(".js")] == ["/voila/templates/lepton/static/page.js"]
    page.shoot("dashboard-open-zh")

    kernel = page.page.evaluate("JSON.parse(document.getElementById('jupyter-config-data').textContent).kernelId")
    page.expect_losses()
    dashboard.end_kernel(kernel)
    notice = page.page.get_by_role("status").filter(has_text="程序已结束")
    expect(notice).to_be_visible()
    page.shoot("dashboard-gone-zh")
    notice.get_by_role("button", name="重新加载页面").click()
    expect(Studio(page.page.locator("body")).root).to_be_visible()
    expect(notice).to_have_count(0)


def test_the_dashboard_is_closed_without_its_token_GHSA_2q59_h24c_w6fg(dashboard):
    for path in ("", "voila/files/studio.ipynb", "api/kernels", "voila/tree"):
        request = urllib.request.Request(f"http://127.0.0.1:{dashboard.port}/{path}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert "/login" in answer.url, f"/{path} answered without a token"
        except urllib.error.HTTPError as refused:
            assert refused.code in (401, 403, 404), (path, refused.code)
