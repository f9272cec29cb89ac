"""What holds for every built-in network on every kind of row that it claims to read."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
import torch

from lepton_lab.models.check import check
from lepton_lab.models.probe import probe
from lepton_lab.models.registry import FOR_MODALITY, NETWORKS, build
from lepton_lab.specs import NETWORK_CARDS, ModelSpec, Problem
from lepton_lab.training.optimizers import AdamW
from tests.models.problems import PAIRS, PROBLEMS, answers, loss, network

FIRST_OF_EACH = [(what, name) for name in NETWORKS for what in [next(w for w, n in PAIRS if n == name)]]
FAST = {*FIRST_OF_EACH, *(pair for pair in PAIRS if pair[0] in ("texts", "uneven sequences") or pair[1] == "cnn")}
LEARNT = [pair if pair in FIRST_OF_EACH else pytest.param(*pair, marks=pytest.mark.slow) for pair in PAIRS]
EXPORTED = [pair if pair in FAST else pytest.param(*pair, marks=pytest.mark.slow) for pair in PAIRS]


def test_every_claimed_pair_of_task_and_modality_is_tried_here() -> None:
    tried = {(name, problem.task, problem.modality) for what, name in PAIRS for problem in [PROBLEMS[what]]}
    scored = {(name, "image") for name in NETWORKS}
    for name, card in NETWORK_CARDS.items():
        for task, modality in card.suits:
            same_head = task in ("multilabel", "regression")  # one row of numbers, as classification
            wanted = (name, "classification" if same_head else task, modality)
            assert wanted in tried or (name, modality) not in scored, wanted
    assert set(NETWORKS) == set(NETWORK_CARDS)
    assert {name for name, _ in FOR_MODALITY} <= set(NETWORKS)


@pytest.mark.parametrize(("what", "name"), PAIRS)
def test_it_answers_in_the_right_shape_and_every_weight_gets_a_gradient(what: str, name: str) -> None:
    problem, module = PROBLEMS[what], network(name, what)
    rows = probe(problem, 6)
    said = module.eval()(*rows)
    assert said.dtype == torch.float32 and torch.isfinite(said).all()
    if problem.task != "detection":
        assert said.shape == (6, *problem.output_shape)
    loss(module.train(), problem, rows, answers(problem, 6)).backward()
    moved = [p for p in module.parameters() if p.requires_grad]
    assert moved and all(p.grad is not None and torch.isfinite(p.grad).all() for p in moved)
    check(module, problem)


@pytest.mark.parametrize(("what", "name"), PAIRS)
def test_a_row_is_answered_alike_alone_and_in_a_batch(what: str, name: str) -> None:
    module = network(name, what).eval()
    rows = probe(PROBLEMS[what], 4)
    alone = torch.cat([module(*(part[row : row + 1] for part in rows)) for row in range(4)])
    torch.testing.assert_close(alone, module(*rows), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("what", "name"), [pair for pair in PAIRS if PROBLEMS[pair[0]].has_lengths])
def test_what_stands_behind_the_end_of_a_row_does_not_count(what: str, name: str) -> None:
    module = network(name, what).eval()
    inputs, lengths = probe(PROBLEMS[what], 4)
    cut = [module(inputs[row : row + 1, :length], lengths[row : row + 1]) for row, length in enumerate(lengths)]
    torch.testing.assert_close(torch.cat(cut), module(inputs, lengths), rtol=1e-4, atol=1e-5)
    assert torch.isfinite(module(inputs[:, :1], torch.zeros_like(lengths))).all()


@pytest.mark.parametrize(("what", "name"), FIRST_OF_EACH)
def test_the_seed_alone_decides_the_weights_and_the_way_they_take(what: str, name: str) -> None:
    def trained() -> list[torch.Tensor]:
        problem, module = PROBLEMS[what], network(name, what)
        optimizer = AdamW(module.parameters(), 0.01)
        for _ in range(2):
            loss(module, problem, probe(problem, 4), answers(problem, 4)).backward()
            optimizer.step(1e-3)
            optimizer.zero_grad()
        return list(module.state_dict().values())

    torch.set_num_threads(1)
    assert all(torch.equal(a, b) for a, b in zip(trained(), trained(), strict=True))


@pytest.mark.parametrize(("what", "name"), LEARNT)
def test_it_can_learn_a_handful_of_rows_by_heart(what: str, name: str) -> None:
    problem = PROBLEMS[what]
    options = {"dropout": 0.0} if "dropout" in NETWORK_CARDS[name].options.model_fields else {}
    options |= (
        {"shift": 0, "hide": 0.0, "stretch": 0.0} if problem.modality == "audio" and name in ("cnn", "crnn") else {}
    )
    options |= {"flip": False} if name == "detector" else {}
    options |= {"width": 8} if name in ("detector", "quicknet", "resnet") else {}
    module = network(name, what, **options)
    if name == "linear":  # it has no more numbers than steps ahead; rows that continue their slope suit it
        rows = (torch.linspace(0, 1, 44)[None, :, None] * torch.randn(8, 1, 3),)
        labels = rows[0][:, 36:, : problem.output_shape[1]]
        rows = (rows[0][:, :36],)
    else:
        rows, labels = probe(problem, 8), answers(problem, 8)
    optimizer = AdamW(module.parameters(), 0.0)
    rate = module.learning_rates["adamw"]
    first = loss(module, problem, rows, labels).item()
    for _ in range(50):
        lost = loss(module, problem, rows, labels)
        if lost.item() < 0.5 * first:
            return
        lost.backward()
        optimizer.step(2 * rate)
        optimizer.zero_grad()
    raise AssertionError(f"the loss fell from {first:.3f} to {lost.item():.3f} in 50 steps")


@pytest.mark.parametrize(("what", "name"), EXPORTED)
def test_it_exports_to_onnx_and_answers_the_same_there(what: str, name: str) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    problem, module = PROBLEMS[what], network(name, what).eval()
    rows = probe(problem, 3)
    names = ["input", "lengths"][: len(rows)]
    axes = {"input": {0: "batch", 1: "steps"} if problem.has_lengths else {0: "batch"}, "lengths": {0: "batch"}}
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            rows,
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            input_names=names,
            output_names=["scores"],
            dynamic_axes={key: axes[key] for key in names} | {"scores": {0: "batch"}},
            opset_version=18,
        )
        again = [part[:2] for part in rows]
        if problem.has_lengths:
            again = [again[0][:, :7], again[1].clamp(max=7)]
        expected = module(*again).numpy()
    if name == "rnn" and what in ("texts", "uneven sequences"):
        assert b"LSTM" in buffer.getvalue()
    session = onnxruntime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
    (said,) = session.run(None, {key: part.numpy() for key, part in zip(names, again, strict=True)})
    np.testing.assert_allclose(said, expected, rtol=1e-3, atol=1e-3)


def test_every_network_names_its_learning_rates() -> None:
    assert all(set(network.learning_rates) == {"adamw", "adam", "sgd"} for network in NETWORKS.values())


def test_a_problem_without_a_network_of_ours_says_so() -> None:
    problem = Problem("classification", "interactions", (2,), (3,))
    with pytest.raises(Exception, match="Select a network of your own instead"):
        build(ModelSpec(name="cnn"), problem)
