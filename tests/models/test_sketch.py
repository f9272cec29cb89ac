"""A network on paper before training: from a process that may import torch, asked by one that does not."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from lepton_lab.errors import ModelError
from lepton_lab.models import sketch
from lepton_lab.models.summary import summary
from lepton_lab.session.sketch import Sketcher
from lepton_lab.specs import ModelSpec
from tests.models.problems import PROBLEMS, classes

PICTURES = classes((1, 8, 8), 10)


@pytest.fixture(scope="module")
def sketcher() -> Iterator[Sketcher]:
    """One process for all tests of this file."""
    sketcher = Sketcher()
    yield sketcher
    sketcher.close()


def test_it_says_what_a_summary_in_this_process_says(sketcher: Sketcher) -> None:
    drawn = sketcher.draw(ModelSpec(name="cnn"), PICTURES, batch_size=64)
    here = summary(ModelSpec(name="cnn"), PICTURES, batch_size=64).to_dict()
    assert drawn.to_dict() == json.loads(json.dumps(here))
    assert drawn.num_parameters == here["num_parameters"] > 0
    text = str(drawn)
    assert "head (Linear)" in text and "FLOPs a row" in text and "64 rows a step" in text


def test_the_process_is_kept_for_the_next_question_and_started_again_when_it_died(sketcher: Sketcher) -> None:
    sketcher.draw(ModelSpec(name="mlp"), PICTURES)
    first = sketcher._process
    sketcher.draw(ModelSpec(name="rnn"), PROBLEMS["texts"])
    assert first is not None and sketcher._process is first
    first.kill()
    first.wait()
    assert sketcher.draw(ModelSpec(name="mlp"), PICTURES).num_parameters
    assert sketcher._process is not first


def test_a_network_that_cannot_be_built_is_an_error_with_its_sentence(sketcher: Sketcher) -> None:
    source = "print('hello')\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        1 / 0"
    with pytest.raises(ModelError, match="division by zero"):
        sketcher.draw(ModelSpec(name="mine", source=source, class_name="Net"), PICTURES)
    with pytest.raises(ModelError, match="Select cnn"):
        sketcher.draw(ModelSpec(name="tcn"), PICTURES)


def test_memory_grows_with_the_batch_and_frozen_weights_need_no_optimizer() -> None:
    small, large = (summary(ModelSpec(name="cnn"), PICTURES, batch_size=rows) for rows in (1, 101))
    assert (large.training_bytes - small.training_bytes) % 100 == 0 and large.training_bytes > small.training_bytes
    assert small.num_flops == 2 * small.num_macs
    quick = summary(ModelSpec(name="quicknet"), PICTURES)
    assert quick.num_frozen and quick.parameter_bytes == 4 * (quick.num_parameters + quick.num_frozen)


def test_attention_is_counted_though_it_has_no_weights() -> None:
    drawn = summary(ModelSpec(name="transformer", options={"layers": 1}), PROBLEMS["sequences"])
    (attention,) = [layer for layer in drawn.layers if layer.kind == "Attention"]
    steps, width = 18, 96
    assert attention.num_macs == 2 * steps * steps * width


def test_each_line_gets_one_answer_whatever_it_says() -> None:
    output = io.StringIO()
    good = {"model": {"name": "mlp"}, "problem": PICTURES.to_dict()}
    sketch.serve(["nonsense", json.dumps({"model": {"name": "mpl"}, "problem": {}}), json.dumps(good)], output)
    first, second, third = (json.loads(line) for line in output.getvalue().splitlines())
    assert "cannot be described" in first["error"] and "'mlp'" in second["error"] and "summary" in third


def test_asking_leaves_torch_unloaded_in_this_process() -> None:
    code = (
        "import sys; from lepton_lab.session.sketch import Sketcher; from lepton_lab.specs import ModelSpec, Problem\n"
        "s = Sketcher(); s.draw(ModelSpec(name='mlp'), Problem('classification', 'table', (4,), (2,))); s.close()\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=200).returncode == 0
