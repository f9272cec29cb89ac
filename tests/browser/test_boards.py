"""The monitor and the model card as Voilà pages: two people look, neither can change anything."""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import expect

from tests.browser import servers


@pytest.fixture
def board(trained, tmp_path):
    opened = []

    def serve(name):
        (tmp_path / name).mkdir()
        opened.append(servers.dashboard(tmp_path / name, trained.store.root, "--preheat_kernel=False", board=name))
        return opened[-1]

    yield serve
    for server in opened:
        server.stop()


def test_many_look_at_a_run_and_none_can_stop_it(board, trained, watched):
    server = board("monitor")
    pages = [watched(), watched(dark=True, width=800)]
    for number, each in enumerate(pages):
        each.page.goto(server.url())
        expect(each.page.locator(".lp-run .lp-chip")).to_have_text("finished")
        expect(each.page.get_by_label("Run", exact=True)).to_have_value(trained.run.id)
        expect(each.page.get_by_role("button", name="Stop")).to_have_count(0)
        expect(each.page.get_by_role("button", name="Resume")).to_have_count(0)
        each.shoot(f"monitor-{number}")


def test_a_model_card_answers_a_question(board, trained, watched):
    endpoint = trained.session.run(trained.run.id).deploy(name="shown")
    try:
        page = watched(width=int(os.environ.get("LEPTON_WIDTH", "1280")))
        page.page.goto(board("model-card").url())
        view = page.page.locator(".lp-studio")
        expect(view.get_by_text("This network")).to_be_visible()
        view.get_by_label("Test row").fill("3")
        view.get_by_role("button", name="Predict", exact=True).click()
        expect(view.locator(".lp-verdict")).to_be_visible()
        expect(view.get_by_role("button", name="Deploy")).to_have_count(0)
        expect(view.get_by_role("button", name="Stop endpoint")).to_be_hidden()
        page.shoot("model-card")
    finally:
        endpoint.stop()
