"""What an answer rests on: parts that matter change it, parts that do not matter do not."""

from __future__ import annotations

import numpy as np
import pytest

from tests.serving.conftest import serve_here


async def test_a_picture_is_explained_cell_by_cell(served, digits):
    row = np.asarray(digits.splits["test"].inputs[3]).tolist()
    answer = await served.client.post("/predict?explain=true", json={"instances": [row]})
    assert answer.status_code == 200, answer.text
    [said] = answer.json()["predictions"]
    grid = np.array(said["explanation"]["grid"])
    assert grid.shape == (8, 8) and said["explanation"]["of"] == said["label"]
    flat = served.bundle.preparation.from_raw([row])
    hidden = flat.copy()
    at = np.unravel_index(np.abs(grid).argmax(), grid.shape)
    hidden[:, :, at[0], at[1]] = 0
    engine, best = served.host.active.batcher._engine, served.bundle.manifest.classes.index(said["label"])
    fell = engine.run((flat,))[0, best] - engine.run((hidden,))[0, best]
    assert grid[at] == pytest.approx(fell, abs=1e-5)
    [ticket] = served.usage._pending.values()
    assert (ticket.requests, ticket.rows) == (1, 1) and ticket.compute_seconds > 0


async def test_a_row_is_explained_column_by_column(served_table):
    row = {"age": 70, "city": "Paris"}
    answer = await served_table.client.post("/predict?explain=true", json={"instances": [row]})
    parts = answer.json()["predictions"][0]["explanation"]["parts"]
    assert {each["part"] for each in parts} == {"age", "city"}
    assert [abs(each["change"]) for each in parts] == sorted((abs(each["change"]) for each in parts), reverse=True)


async def test_a_sentence_is_explained_word_by_word(store, text_folder):
    here = serve_here(store, text_folder, name="films")
    try:
        body = {"content": b"a good film", "headers": {"Content-Type": "text/plain"}}
        answer = await here.client.post("/predict?explain=true", **body)
        parts = answer.json()["predictions"][0]["explanation"]["parts"]
        assert {each["part"] for each in parts} == {"a", "good", "film"}
    finally:
        here.host.close()


async def test_what_cannot_be_explained_is_said(served):
    row = [[0.0] * 8] * 8
    for query, instances in (("explain=true", [row, row]), ("explain=perhaps", [row])):
        answer = await served.client.post(f"/predict?{query}", json={"instances": instances})
        assert answer.status_code == 422 and answer.json()["field"] == "explain"
