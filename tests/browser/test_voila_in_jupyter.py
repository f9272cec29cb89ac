"""Voilà inside the Jupyter server: a run's curve is fed by the server extension there too, whatever the kernel does."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.lab import run_state

# Jupyter Server gives every page the address of MathJax on the network, and Voilà loads it.
MATHJAX = [r".*cdnjs\.cloudflare\.com/ajax/libs/mathjax/.*"]
CELL = """
import lepton_lab
lepton_lab.load_data("digits")
run = lepton_lab.select_model("cnn").train(epochs=3000, wait=False)
run
"""


def test_a_run_lives_on_a_voila_page_of_the_jupyter_server(lab, watched):
    path = lab.write_notebook("page.ipynb", CELL)
    page = watched(allow=MATHJAX)
    page.page.goto(lab.url(f"voila/render/{path}", template="lepton"))
    view = page.page.locator(".lp-run")
    run_state(view, "running")
    expect(page.page.locator(".lp-run")).to_have_count(1)
    for _ in range(3):
        before = view.locator(".lp-stats").inner_text()
        expect(view.locator(".lp-stats")).not_to_have_text(before)
    assert page.frames, "the curve came by the kernel, not by the server extension"
    page.shoot("voila-in-jupyter-light")
    view.get_by_role("button", name="Stop").click()
    run_state(view, "stopped")
