"""Every task's network goes online: a raw row in, the task's own answer out, from the very numbers that torch gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lepton_lab.data import load
from lepton_lab.models.registry import build
from lepton_lab.runs.paths import Store
from lepton_lab.serving import bundle as bundles
from lepton_lab.serving.answers import SERVED_TASKS, present
from lepton_lab.serving.engine import Engine
from lepton_lab.serving.export import export_bundle
from lepton_lab.specs import TASKS, DataSpec, ModelSpec
from lepton_lab.specs.networks import default_network

WORDS = ("good", "fine", "warm", "bad", "cold", "grim")


def classification(folder: Path) -> DataSpec:
    rng = np.random.default_rng(0)
    lines = [f"{' '.join(rng.choice(WORDS, 4))} film,{'yes' if i % 2 else 'no'}" for i in range(60)]
    (folder / "films.csv").write_text("text,liked\n" + "\n".join(lines))
    return DataSpec(name=str(folder / "films.csv"))


def multilabel(folder: Path) -> DataSpec:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 2)).round(3)
    lines = [f"{a},{b},{'red|round' if a > 0 else 'round'}" for a, b in rows]
    (folder / "things.csv").write_text("a,b,tags\n" + "\n".join(lines))
    return DataSpec(name=str(folder / "things.csv"), target="tags", task="multilabel")


def regression(folder: Path) -> DataSpec:
    rng = np.random.default_rng(0)
    lines = [f"{a},{b},{100 + 7.5 * a - b:.4f}" for a, b in rng.normal(size=(80, 2)).round(3)]
    (folder / "prices.csv").write_text("a,b,price\n" + "\n".join(lines))
    return DataSpec(name=str(folder / "prices.csv"), task="regression")


def forecasting(folder: Path) -> DataSpec:
    lines = [f"2026-01-{1 + i // 24:02d} {i % 24:02d}:00:00,{50 + 10 * np.sin(i / 4):.3f}" for i in range(300)]
    (folder / "load.csv").write_text("date,load\n" + "\n".join(lines))
    return DataSpec(name=str(folder / "load.csv"), task="forecasting", window=24, horizon=6)


def language(folder: Path) -> DataSpec:
    (folder / "poem.txt").write_text("the cat sat on the mat and the rat sat on the hat.\n" * 80)
    return DataSpec(name=str(folder / "poem.txt"), task="language", window=16)


def rating(folder: Path) -> DataSpec:
    rng = np.random.default_rng(0)
    lines = [f"u{rng.integers(9)},i{rng.integers(12)},{rng.integers(1, 6)}" for _ in range(200)]
    (folder / "ratings.csv").write_text("user,item,rating\n" + "\n".join(lines))
    return DataSpec(name=str(folder / "ratings.csv"), task="rating")


def ranking(folder: Path) -> DataSpec:
    return rating(folder).changed(task="ranking")


def detection(folder: Path) -> DataSpec:
    for part in ("JPEGImages", "Annotations"):
        (folder / part).mkdir()
    for i in range(12):
        Image.new("RGB", (64, 48), (i * 9, 90, 40)).save(folder / "JPEGImages" / f"p{i}.jpg")
        box = f"<xmin>{i}</xmin><ymin>5</ymin><xmax>{i + 20}</xmax><ymax>30</ymax>"
        thing = f"<object><name>{'cat' if i % 2 else 'dog'}</name><bndbox>{box}</bndbox></object>"
        size = "<size><width>64</width><height>48</height><depth>3</depth></size>"
        content = f"<annotation><filename>p{i}.jpg</filename>{size}{thing}</annotation>"
        (folder / "Annotations" / f"p{i}.xml").write_text(content)
    return DataSpec(name=str(folder))


MAKERS = {
    maker.__name__: maker
    for maker in (classification, multilabel, regression, forecasting, language, rating, ranking, detection)
}
KEYS = {
    "classification": "scores",
    "multilabel": "labels",
    "regression": "value",
    "forecasting": "forecast",
    "language": "scores",
    "rating": "value",
    "ranking": "score",
    "detection": "boxes",
}


def test_every_task_is_served():
    assert set(SERVED_TASKS) == set(TASKS) == set(MAKERS)


@pytest.mark.parametrize("task", MAKERS)
def test_a_raw_row_gets_the_answer_of_its_task(task, tmp_path):
    (tmp_path / "data").mkdir()
    dataset = load(MAKERS[task](tmp_path / "data"), Store(tmp_path / "store").prepare())
    assert dataset.task == task
    network = build(ModelSpec(name=default_network(dataset.problem)), dataset.problem).eval()
    about = export_bundle(network, dataset, {"run_id": "r", "model": "m"}, tmp_path / "bundle")
    assert about["verification"]["largest_difference"] < 1e-3

    bundle = bundles.load(tmp_path / "bundle")
    raw = [dataset.raw_sample("test", row) for row in (0, 1)]
    prepared = bundle.preparation.from_raw(raw)
    scores = Engine(bundle, threads=1).run(prepared if isinstance(prepared, tuple) else (prepared,))
    answers = present(scores, bundle)
    assert len(answers) == 2 and all(KEYS[task] in answer and answer["label"] for answer in answers)


def test_a_forecast_is_in_units_of_the_source(tmp_path):
    dataset = load(forecasting(tmp_path), Store(tmp_path / "store").prepare())
    network = build(ModelSpec(name=default_network(dataset.problem)), dataset.problem).eval()
    export_bundle(network, dataset, {"run_id": "r", "model": "m"}, tmp_path / "bundle")
    bundle = bundles.load(tmp_path / "bundle")
    zeros = np.zeros((1, 6, 1), np.float32)
    steps = present(zeros, bundle)[0]["forecast"]
    assert np.allclose(steps, dataset.target.mean[0]) and 30 < steps[0][0] < 70


def test_boxes_are_shares_of_the_picture(tmp_path):
    dataset = load(detection(tmp_path), Store(tmp_path / "store").prepare())
    network = build(ModelSpec(name=default_network(dataset.problem)), dataset.problem).eval()
    export_bundle(network, dataset, {"run_id": "r", "model": "m"}, tmp_path / "bundle")
    bundle = bundles.load(tmp_path / "bundle")
    height, width = bundle.manifest.input.shape[-2:]
    said = np.full((1, 2, 6), -9.0, np.float32)
    said[0, 0] = [0, 0, width / 2, height / 4, 3.0, -9.0]
    answer = present(said, bundle)[0]
    assert answer["label"] == "1 cat" and len(answer["boxes"]) == 1
    box = answer["boxes"][0]
    assert [box[edge] for edge in ("left", "top", "right", "bottom")] == pytest.approx([0, 0, 0.5, 0.25])


OWN = """
from torch import nn

class Bag(nn.Module):
    def __init__(self, vocabulary, num_classes):
        super().__init__()
        self.words, self.head = nn.Embedding(vocabulary, 8), nn.Linear(8, num_classes)

    def forward(self, tokens, lengths):
        return self.head(self.words(tokens).mean(1))
"""


@pytest.mark.parametrize("spec", [ModelSpec(name="rnn"), ModelSpec(name="bag", source=OWN, class_name="Bag")])
def test_words_that_training_never_saw_are_answered_alike_online(spec, tmp_path):
    rng = np.random.default_rng(0)
    lines = [f"{' '.join(rng.choice(WORDS, 9))},{'yes' if i % 2 else 'no'}" for i in range(60)]
    (tmp_path / "films.csv").write_text("text,liked\n" + "\n".join(lines))
    dataset = load(DataSpec(name=str(tmp_path / "films.csv")), Store(tmp_path / "store").prepare())
    assert dataset.problem.letter_groups
    network = build(spec, dataset.problem).eval()
    with torch.no_grad():
        network.get_parameter("steps.letters.weight" if spec.name == "rnn" else "words.weight").normal_()
    about = export_bundle(network, dataset, {"run_id": "r", "model": "m"}, tmp_path / "bundle")
    assert about["verification"]["largest_difference"] < 1e-5 and about["verification"]["agreement_fraction"] == 1
    bundle = bundles.load(tmp_path / "bundle")
    scores = Engine(bundle, threads=1).run(bundle.preparation.from_raw(["coldest", "xyz"]))
    said = np.abs(scores[0] - scores[1]).max()
    assert said > 1e-4 if spec.name == "rnn" else said == 0.0  # one's own network gets the tokens alone: both unknown
