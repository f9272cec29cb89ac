"""The try-it page in a real browser: closed door, picture, row, labels as text, both languages, no outside request."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lepton_lab.runs.endpoints import save_record
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import python_command, read_identity
from lepton_lab.serving.page import Page
from tests.serving.conftest import make_endpoint

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]
FLAGS += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
_THREAD = ThreadPoolExecutor(1)
"""Playwright's own event loop lives in this thread, away from the one that the Jupyter tests keep in the main one."""


def in_browser_thread(test: Callable[..., None]) -> Callable[..., None]:
    """Runs a test where the browser was started."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        _THREAD.submit(test, **fixtures).result(120)

    return run


def test_the_policy_names_exactly_the_pages_own_parts():
    page = Page()
    html, policy = page.html.decode(), page.headers["Content-Security-Policy"]
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        (part,) = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.S)
        digest = base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
        assert f"{rule} 'sha256-{digest}'" in policy
    assert "unsafe" not in policy and "default-src 'none'" in policy
    assert not re.search(r"\son\w+=|\sstyle=", html.split("<script>")[0])


def test_the_page_asks_for_nothing_from_elsewhere_and_writes_text_only_CVE_2021_32797():
    html = Page().html.decode()
    assert not re.search(r"""(?:src|href)=["'](?!data:,)""", html)
    for sink in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "http://", "https://"):
        assert sink not in html
    assert not re.search(r"""ask\(["']/""", html), "addresses are relative, so that a proxy's prefix stays"


def test_the_page_has_every_text_in_both_languages():
    """Missing strings are found: the same names, the same values in braces, and none that the page does not use."""
    parts = resources.files("lepton_lab.serving").joinpath("tryit")
    words = json.loads(parts.joinpath("words.json").read_text("utf-8"))
    assert set(words) == {"en", "zh"} and set(words["en"]) == set(words["zh"])
    for name, english in words["en"].items():
        chinese = words["zh"][name]
        assert sorted(re.findall(r"{\w+}", english)) == sorted(re.findall(r"{\w+}", chinese)), name
        assert re.search("[\u4e00-\u9fff]", chinese) and not re.search("[\u4e00-\u9fff]", english), name
    frame, script = (parts.joinpath(name).read_text("utf-8") for name in ("index.html", "script.js"))
    used = set(re.findall(r'data-(?:text|placeholder)="(\w+)"', frame))
    assert used <= set(words["en"]), "a part of the page has no text"
    used |= set(re.findall(r'say\("(\w+)"', script))
    assert used <= set(words["en"]), "the script says what has no text"
    unused = {name for name in set(words["en"]) - used if f'"{name}"' not in script and f".{name}" not in script}
    assert not unused
    bare = re.sub(r"<(style|script|noscript)>.*?</\1>|<title>.*?</title>", "", frame, flags=re.S)
    told = {text.strip() for text in re.findall(r">([^<>]+)<", bare)} - {""}
    assert told == {"lepton_lab", "中文", "curl", "Python", "JavaScript"}, "a text stands in the page itself"


@pytest.fixture(scope="module")
def urls(
    tmp_path_factory, bundle_folder, table_folder, text_folder, sound_folder
) -> Iterator[dict[str, tuple[str, str]]]:
    store = Store(tmp_path_factory.mktemp("page")).prepare()
    found, children = {}, []
    folders = {"digits": bundle_folder, "people": table_folder, "films": text_folder, "sounds": sound_folder}
    for name, folder in folders.items():
        record, key = make_endpoint(store, folder, name)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            record.port = probe.getsockname()[1]
        save_record(store, record)
        argv = python_command("tests.serving.lone_server", "--store", str(store.root), "--name", name)
        children.append(subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}))
        found[name] = (record.url(), key)
    deadline = time.monotonic() + 30
    for name in found:
        while not (read_identity(store.endpoint_dir(name) / "process.json") or {}).get("ready"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    yield found
    for child in children:
        child.terminate()
        child.wait(15)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"NO BROWSER: {CHROMIUM} is not installed")

    def start() -> tuple[Any, Any]:
        playwright = sync_api.sync_playwright().start()
        return playwright, playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)

    playwright, browser = _THREAD.submit(start).result(60)
    yield browser
    _THREAD.submit(browser.close).result(60)
    _THREAD.submit(playwright.stop).result(60)


LOOKS = [(1280, "light", "en"), (800, "dark", "zh-CN"), (400, "light", "en")]


class Visit:
    """One page in one context, with what it logged and asked for."""

    def __init__(self, browser, url: str, **context) -> None:
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.logged: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.logged.append(message.text))
        self.page.on("pageerror", lambda error: self.logged.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(url)

    def enter(self, key: str) -> None:
        self.page.fill("#key", key)
        self.page.press("#key", "Enter")

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def wait(self, selector: str) -> None:
        self.page.wait_for_selector(selector, timeout=15_000)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("width", "scheme", "locale"), [(1280, "light", "en"), (800, "dark", "zh-CN"), (400, "light", "en")]
)
@in_browser_thread
def test_a_picture_is_predicted(urls, browser, tmp_path, digits, width, scheme, locale):
    url, key = urls["digits"]
    visit = Visit(browser, url, viewport={"width": width, "height": 800}, color_scheme=scheme, locale=locale)
    visit.wait("#door:not([hidden])")
    visit.enter(key)
    visit.wait("#desk:not([hidden])")
    assert visit.text("#name") == "digits" and visit.text("#state") == ("ready" if locale == "en" else "就绪")
    picture = tmp_path / "five.png"
    picture.write_bytes(digits.sample_png("test", 1))
    visit.page.set_input_files("#file", picture)
    visit.wait("#answer:not([hidden])")
    assert visit.text("#label") in digits.classes and visit.page.locator("#bars li").count() == 8
    visit.page.click("#explain")
    visit.wait("#why:not([hidden])")
    assert visit.page.locator("#why-grid i").count() == 64
    overflow = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not visit.page.evaluate(overflow)
    visit.page.click("[data-code=python]")
    assert f'Client("{url}"' in visit.text("#snippet") and key not in visit.page.content()
    artifacts = os.environ.get("LEPTON_TEST_ARTIFACTS")
    if artifacts:
        visit.page.screenshot(path=Path(artifacts) / f"tryit-{width}-{scheme}-{locale}.png", full_page=True)
    visit.page.reload()
    visit.wait("#desk:not([hidden])")
    visit.page.click("#forget")
    visit.wait("#door:not([hidden])")
    assert visit.logged == [] and all(asked.startswith((url, "blob:", "data:")) for asked in visit.asked)


@pytest.mark.browser
@in_browser_thread
def test_a_row_is_predicted_and_labels_are_text_CVE_2026_42557(urls, browser, table):
    url, key = urls["people"]
    visit = Visit(browser, url, locale="en")
    visit.enter(key)
    visit.wait("#desk:not([hidden])")
    visit.page.fill("#paste", "age,city\n70,Oslo")
    assert visit.page.input_value("[data-column=age]") == "70"
    visit.page.fill("#paste", "61.5\tParis")
    assert visit.page.input_value("[data-column=city]") == "Paris"
    visit.page.click("#go")
    visit.wait("#answer:not([hidden])")
    assert set(visit.page.locator("#bars .class").all_inner_texts()) == set(table.classes)
    assert visit.page.locator("#bars b").count() == 0, "the label <b>yes</b> is shown, not obeyed"
    visit.page.fill("[data-column=age]", "many")
    visit.page.click("#go")
    visit.wait("#problem:not([hidden])")
    assert "age" in visit.text("#problem")
    visit.page.fill("#paste", "1,2,3")
    assert "3 values" in visit.text("#problem")


@pytest.mark.browser
@in_browser_thread
def test_a_sentence_is_predicted(urls, browser):
    url, key = urls["films"]
    visit = Visit(browser, url, locale="en")
    visit.enter(key)
    visit.wait("#desk:not([hidden])")
    visit.page.click("#go")
    visit.wait("#problem:not([hidden])")
    assert visit.text("#problem") == "Type a sentence first."
    visit.page.fill("#words", "a good film")
    visit.page.press("#words", "Control+Enter")
    visit.wait("#answer:not([hidden])")
    assert visit.text("#label") in ("yes", "no") and visit.page.locator("#bars li").count() == 2
    visit.page.click("#explain")
    visit.wait("#why:not([hidden])")
    assert visit.page.locator("#why-parts li").count() == 3
    assert "text/plain" in visit.text("#snippet") and visit.logged == []


@pytest.mark.browser
@in_browser_thread
def test_a_sound_is_predicted_from_a_file_the_example_and_the_microphone(urls, browser, tmp_path):
    soundfile = pytest.importorskip("soundfile")
    url, key = urls["sounds"]
    visit = Visit(browser, url, locale="en")
    visit.enter(key)
    visit.wait("#desk:not([hidden])")
    for name in ("tone.wav", "tone.flac"):  # a WAV goes as it is, another format is decoded by the browser
        soundfile.write(tmp_path / name, np.sin(np.arange(4000) / 3) / 2, 16000)
        with visit.page.expect_response("**/predict*") as answered:
            visit.page.set_input_files("#sound-file", tmp_path / name)
        assert answered.value.status == 200
    with visit.page.expect_response("**/predict*") as answered:
        visit.page.click("#example")
    assert answered.value.status == 200
    visit.page.click("#record")
    visit.wait("#record[aria-pressed=true]")
    visit.page.wait_for_timeout(300)  # the length of the recording
    with visit.page.expect_response("**/predict*") as answered:
        visit.page.click("#record")
    assert answered.value.status == 200
    visit.wait("#answer:not([hidden])")
    assert visit.text("#label") in ("low", "high") and visit.page.is_visible("#listen")
    assert visit.logged == [] and all(asked.startswith((url, "blob:", "data:")) for asked in visit.asked)


@pytest.mark.browser
@in_browser_thread
def test_a_wrong_key_is_refused_in_both_languages(urls, browser):
    visit = Visit(browser, urls["digits"][0], locale="zh-CN")
    visit.enter("lpt_wrong")
    visit.wait("#door-problem:not([hidden])")
    assert "拒绝" in visit.text("#door-problem")
    visit.page.click("#language")
    assert visit.text("#door-title") == "This endpoint needs a key"
    assert visit.page.get_attribute("html", "lang") == "en" and visit.page.title() == "lepton_lab endpoint"
    visit.page.reload()
    visit.wait("#door:not([hidden])")
    assert visit.text("#door-title") == "This endpoint needs a key", "the choice is kept"


@pytest.mark.browser
@in_browser_thread
def test_the_page_and_what_the_endpoint_refuses_are_in_the_readers_language(urls, browser):
    url, key = urls["people"]
    visit = Visit(browser, url, locale="zh-CN")
    assert visit.page.get_attribute("html", "lang") == "zh-CN" and visit.page.title() == "lepton_lab 端点"
    visit.enter(key)
    visit.wait("#desk:not([hidden])")
    visit.page.fill("[data-column=age]", "many")
    visit.page.click("#go")
    visit.wait("#problem:not([hidden])")
    assert "age" in visit.text("#problem") and re.search("[\u4e00-\u9fff]", visit.text("#problem"))
    own = visit.page.locator("[data-text], dt, button, h2").all_inner_texts()
    alone = {text for text in own if re.search("[A-Za-z]{3}", text)} - {"English", "curl", "Python", "JavaScript"}
    assert all(re.search("[\u4e00-\u9fff]", text) for text in alone), alone
