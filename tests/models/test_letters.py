"""Groups of letters in a network: the fast sum of training is the plain one of the server, and nothing is learnt by
padding."""

from __future__ import annotations

import torch

from lepton_lab.models.probe import probe
from tests.models.problems import PROBLEMS, network

TEXTS = PROBLEMS["texts with letters"]


def test_training_sums_groups_as_the_server_does() -> None:
    steps = network("rnn", TEXTS).steps
    with torch.no_grad():
        steps.letters.weight[1:].normal_()
    groups = probe(TEXTS, 4)[0][:, :, 1:]
    sums, gradients = [], []
    for is_training in (True, False):
        steps.train(is_training).zero_grad()
        sums.append(steps._sum_of_groups(groups))
        sums[-1].square().sum().backward()
        gradients.append(steps.letters.weight.grad.clone())
    torch.testing.assert_close(*sums)
    torch.testing.assert_close(*gradients)
    assert not gradients[0][0].any()


def test_an_untrained_network_reads_words_alone() -> None:
    module = network("cnn1d", TEXTS).eval()
    rows, lengths = probe(TEXTS, 4)
    without = torch.cat([rows[:, :, :1], torch.zeros_like(rows[:, :, 1:])], dim=2)
    torch.testing.assert_close(module(rows, lengths), module(without, lengths))
