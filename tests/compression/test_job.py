"""From a finished run to a table of bundles, made by a worker process and deployed by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lepton_lab.compression import record as records
from lepton_lab.compression.record import Table, Variant, choose, loss_points, read_table
from lepton_lab.errors import EndpointError, LeptonError, RunError, SpecError, UnknownName
from lepton_lab.runs.paths import Store
from lepton_lab.serving.bundle import load
from lepton_lab.serving.engine import Engine
from lepton_lab.serving.waiting import bundle_of_run
from lepton_lab.session import Session
from lepton_lab.session.host import Host
from lepton_lab.specs import CompressSpec
from lepton_lab.specs.compress import DEFAULT_RECIPES, normal_recipe
from lepton_lab.verbs import parse
from lepton_lab.widgets.compression import compression_html, tradeoff_figure
from tests.waiting import wait_until

RECIPES = "prune+share,dynamic-int8,slim+static-int8"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A real run of a small network, finished."""
    session = Session(Store(tmp_path_factory.mktemp("store")).prepare(), Host())
    dataset = session.load_data("digits")
    return session.select_model("cnn", dataset, channels=8).train(wait=True, epochs=3, name="small")


@pytest.fixture(scope="module")
def compression(run: Any) -> Any:
    """Its variants, asked for while the run's worker has not written the bundle yet."""
    bundle_of_run(run._session.store, run.id)
    folder = run.record.dir / "bundle"
    folder.rename(folder.with_name("written-later"))
    asked = run.compress(wait=False, recipes=RECIPES, epochs=0.1, sparsity=0.6, width=0.75)
    wait_until(lambda: asked.state != "running" or "bundle" in asked.table.step, "the compression to want it", 60)
    folder.with_name("written-later").rename(folder)
    return asked.wait()


def test_the_table_holds_every_variant_with_its_figures(compression):
    table = compression.table
    assert table.state == "finished" and table.test_rows == 359 and table.torch_ms[0] > 0
    assert [row.name for row in table.rows] == ["original", *CompressSpec(recipes=RECIPES).recipe_names()]
    for row in table.rows:
        assert row.problem is None, row.problem
        assert 0 < row.metric <= 1 and 0 < row.f1 <= 1 and row.bytes > 1000 and row.memory_bytes > 0
        assert row.latency_ms["1"][1] <= row.milliseconds <= row.latency_ms["1"][2] and row.times_faster > 0
    by_name = {row.name: row for row in table.rows}
    assert by_name["original"].agreement == 1
    assert by_name["prune+share"].bytes < by_name["dynamic-int8"].bytes < by_name["original"].bytes
    assert table.chosen in by_name and str(table.chosen) in str(compression)


def test_bytes_on_disk_count_every_file(run, compression):
    for row in compression.variants:
        folder = records.bundle_folder(run.record.dir, row.name)
        assert row.bytes == sum(path.stat().st_size for path in folder.iterdir())


def test_every_variant_is_a_bundle_that_the_server_runs(run, compression):
    rows = run.dataset.prepared
    inputs = rows.preparation.apply(np.asarray(rows.splits["test"].inputs))
    for row in compression.variants:
        bundle = load(records.bundle_folder(run.record.dir, row.name))
        answers = Engine(bundle).run((inputs,))
        right = (answers.argmax(1) == rows.splits["test"].labels).mean()
        assert right == pytest.approx(row.metric, abs=1e-9)
        if row.name != "original":
            assert bundle.manifest.compression["recipe"] == row.name
            assert bundle.manifest.metrics["test_accuracy"] == row.metric


def test_the_chosen_variant_and_any_other_can_be_named(run, compression):
    chosen = records.bundle_folder(run.record.dir, "chosen")
    assert chosen == records.bundle_folder(run.record.dir, str(compression.chosen))
    assert records.bundle_folder(run.record.dir, "share + prune").name == "prune_share"
    with pytest.raises(UnknownName, match="variant"):
        records.bundle_folder(run.record.dir, "share")


def test_the_display_shows_the_table_and_a_chart(compression):
    page = str(compression_html(compression))
    assert "prune+share" in page and "safetensors" in page and "%lepton deploy small --variant" in page
    figure = tradeoff_figure(compression.table)
    assert len(figure["data"][0]["x"]) == len(compression.variants)


def test_a_run_that_does_not_exist_or_has_not_finished_is_refused(run):
    with pytest.raises(UnknownName, match="run"):
        records.request(run._session.store, "nobody", CompressSpec())
    with pytest.raises(RunError, match="not compressed"):
        _ = run._session.run(run.id).compression.__class__(_Bare(run)).table


class _Bare:
    """A run without a compression."""

    def __init__(self, run: Any) -> None:
        self.id, self.record = "bare", type("Record", (), {"dir": Path(run.record.dir) / "nowhere"})()


def test_only_one_worker_compresses_a_run(run, compression):
    with records.compression_lock(run.record.dir) as mine:
        assert mine
        with pytest.raises(RunError, match="already"):
            records.request(run._session.store, run.id, CompressSpec())
    assert compression.state == "finished"


def test_a_worker_that_died_is_told(run, compression, tmp_path):
    table = Table("r", "running", "prune: fine-tuning, 40%", process={"pid": 1, "start_time": 0.5, "boot": "gone"})
    (tmp_path / "compression").mkdir()
    records.write_table(tmp_path, table)
    found = read_table(tmp_path)
    assert found is not None and found.state == "failed" and "prune" in str(found.message)
    (tmp_path / "compression" / "table.json").write_text("[]")
    with pytest.raises(LeptonError, match="compress it again"):
        read_table(tmp_path)


def rows_of(*figures: tuple[str, float, int, float]) -> Table:
    rows = [Variant(name, metric, bytes=size, latency_ms={"1": [ms, ms, ms]}) for name, metric, size, ms in figures]
    return Table("r", rows=[*rows, Variant("broken", problem="it does not suit")])


def test_the_target_chooses_among_those_that_lose_little_enough():
    table = rows_of(("original", 0.92, 900, 1.0), ("a", 0.915, 90, 0.8), ("b", 0.911, 50, 0.9), ("c", 0.85, 10, 0.1))
    assert choose(table, CompressSpec())[0] == "b"
    assert choose(table, CompressSpec(target="fastest"))[0] == "a"
    assert choose(table, CompressSpec(target="most_accurate"))[0] == "original"
    assert choose(table, CompressSpec(max_loss=10))[0] == "c"
    assert "a loss of 0.90 points" in choose(table, CompressSpec())[1]


def test_the_loss_of_an_error_is_in_percent_of_the_original():
    table = rows_of(("original", 4.0, 900, 1.0), ("a", 4.1, 90, 0.8))
    table.metric, table.higher_is_better = "mae", False
    assert loss_points(table, table.rows[1]) == pytest.approx(2.5)


def test_recipes_are_read_in_any_order_and_refused_in_plain_words():
    assert normal_recipe("share + prune") == "prune+share"
    assert CompressSpec(recipes="share+prune, prune+share").recipe_names() == ("prune+share",)
    assert CompressSpec().recipe_names() == DEFAULT_RECIPES
    assert [normal_recipe(recipe) for recipe in DEFAULT_RECIPES] == list(DEFAULT_RECIPES)
    for recipes, words in (
        ("prun", "Did you mean"),
        ("share+int4", "two ways"),
        ("prune+prune", "twice"),
        (",", "0 rec"),
    ):
        with pytest.raises(SpecError, match=words):
            CompressSpec.parse({"recipes": recipes})


def test_the_verb_reads_its_options():
    values = parse("compress small --recipes prune+share --target fastest --max-loss 0.5 --show").values
    assert values == {"run": "small", "recipes": "prune+share", "target": "fastest", "max_loss": 0.5, "show": True}


def test_a_variant_of_a_run_that_was_not_compressed_is_refused(tmp_path):
    with pytest.raises(EndpointError, match="not been compressed"):
        records.bundle_folder(tmp_path, "chosen")
