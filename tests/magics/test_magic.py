"""`%lepton` in an IPython shell: loads fast, shows, explains, completes, and goes away again."""

from __future__ import annotations

import subprocess
import sys

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from lepton_lab import session
from lepton_lab.session import NotebookHost, Session


@pytest.fixture
def shell(trained):
    """A fresh shell with the magic loaded, on the store of the trained run."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    session.use(Session(trained.store, NotebookHost(shell)))
    shell.run_line_magic("load_ext", "lepton_lab")
    yield shell
    session.use(None)
    InteractiveShell.clear_instance()


def completions(shell: InteractiveShell, line: str) -> list[str]:
    """What a notebook offers at the end of a line: its kernel asks in this way."""
    with provisionalcompleter():
        return [each.text for each in shell.Completer.completions(line, len(line))]


def test_loading_is_fast_and_imports_nothing_heavy():
    code = (
        "import sys, time; from IPython.core.interactiveshell import InteractiveShell as S; shell = S.instance();"
        "start = time.perf_counter(); shell.run_line_magic('load_ext', 'lepton_lab');"
        "assert time.perf_counter() - start < 0.5;"
        "heavy = {'torch', 'numpy', 'pandas', 'polars', 'plotly', 'ipywidgets', 'anywidget', 'sklearn'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_bare_it_lists_the_verbs_and_each_explains_itself(shell, capsys):
    shell.run_cell("%lepton")
    assert "%lepton train" in capsys.readouterr().out
    shell.run_cell("%lepton train --help")
    out = capsys.readouterr().out
    assert "--batch-size" in out and "Passes over the training rows" in out
    shell.run_cell("%lepton model cnn --help")
    assert "--channels" in capsys.readouterr().out


def test_an_error_is_its_sentence_without_frames(shell, capsys):
    result = shell.run_cell("%lepton train --epoch 3")
    out = capsys.readouterr().out
    assert not result.success
    assert "Did you mean --epochs" in out and "line.py" not in out and "Traceback" not in out


def test_all_verbs_of_one_cell_show_something(shell, trained, capsys):
    shell.run_cell("%lepton data digits\n%lepton model cnn --channels 8\n%lepton runs\nx = 1")
    out = capsys.readouterr().out
    assert "digits: image" in out and "channels 8" in out and trained.run.name in out


def test_the_cell_magic_takes_a_network(shell, capsys):
    shell.run_cell("from torch import nn\n%lepton data digits")
    shell.run_cell(
        "%%lepton model Flat --hidden 16\nclass Flat(nn.Module):\n"
        "    def __init__(self, num_classes, hidden):\n        super().__init__()\n"
        "        self.all = nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.Linear(hidden, num_classes))\n"
        "    def forward(self, x):\n        return self.all(x)\n"
    )
    model = session.current().current_model()
    assert (model.name, model.options) == ("Flat", {"hidden": 16})
    assert model.spec.source.startswith("from torch import nn")
    shell.run_cell("%%lepton train\nx = 1")
    assert "takes no cell" in capsys.readouterr().out


def test_braces_and_dollars_are_the_persons_own(shell, capsys):
    shell.run_cell("name = 'digits'\n%lepton data {name}")
    assert "{name}" in capsys.readouterr().out


def test_a_variable_of_the_notebook_can_be_named(shell, capsys):
    shell.run_cell(
        "import pandas\nflowers = pandas.DataFrame({'size': [0.5, 1.5, 2.5, 3.5] * 10, 'kind': ['a', 'b'] * 20})"
    )
    shell.run_cell("%lepton data flowers --target kind")
    assert "flowers: table, 2 classes" in capsys.readouterr().out
    assert "flowers" in completions(shell, "%lepton data fl")


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("%lepton tr", ["train"]),
        ("%lepton data dig", ["digits"]),
        ("%lepton data fashion-m", ["fashion-mnist"]),
        ("%lepton model rn", ["rnn"]),
        ("%%lepton model rn", ["rnn"]),
        ("%lepton model rnn --ce", ["--cell"]),
        ("%lepton model rnn --cell g", ["gru"]),
        ("%lepton model rnn --no-b", ["--no-bidirectional"]),
        ("%lepton train --epochs 3 --opt", ["--optimizer"]),
        ("%lepton train --optimizer s", ["sgd"]),
        ("%lepton train --schedule=cos", ["cosine"]),
        ("%lepton train --model-ch", ["--model-channels"]),
    ],
)
def test_completion_offers_what_may_stand_there(shell, line, offered):
    assert completions(shell, line) == offered


@pytest.mark.parametrize("verb", ["run", "evaluate"])
def test_completion_offers_the_runs_there_are(shell, trained, verb):
    offered = completions(shell, f"%lepton {verb} digits-cnn")
    assert trained.run.name in offered and all(each.startswith("digits-cnn") for each in offered)


def test_completion_leaves_other_lines_alone(shell):
    shell.run_cell("trainable = 1")
    shell.Completer.use_jedi = False
    assert "trainable" in completions(shell, "x = traina")


def test_unloading_takes_everything_away(shell):
    before = len(shell.Completer.custom_matchers)
    shell.run_line_magic("reload_ext", "lepton_lab")
    assert len(shell.Completer.custom_matchers) == before
    shell.run_line_magic("unload_ext", "lepton_lab")
    assert len(shell.Completer.custom_matchers) == before - 1
    assert "lepton" not in shell.magics_manager.magics["line"]
    assert completions(shell, "%lepton tr") == []
