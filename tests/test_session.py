"""What a person relies on in Python: names resolve, runs outlive the session, own networks travel, errors advise."""

from __future__ import annotations

import linecache
import subprocess
import sys
import textwrap

import numpy as np
import pandas
import pytest

from lepton_lab.errors import DataError, ModelError, RunError, SpecError, UnknownName
from lepton_lab.session import Host, Prediction, Session
from lepton_lab.session.source import class_in, complete, source_of


class CellHost(Host):
    """A notebook without a kernel: variables, and the id of the cell that runs."""

    is_notebook = True

    def __init__(self, cell: str | None = None, **variables) -> None:
        self.cell_id, self.variables = cell, variables

    def namespace(self):
        return self.variables

    def cell(self):
        return self.cell_id


@pytest.fixture
def notebook(trained):
    return lambda cell=None, **variables: Session(trained.store, CellHost(cell, **variables))


# --- the whole way ----------------------------------------------------------------------------------------------------


def test_the_run_is_finished_and_reported(trained):
    assert trained.run.state == "finished"
    report = trained.run.evaluate()
    assert report.accuracy > 0.95
    assert len(report.classes) == 10 and sum(map(sum, report.confusion)) == report.values["rows"]
    assert len(trained.run.curve.series["val_accuracy"]) == 6
    assert "test accuracy" in str(trained.run)


def test_an_endpoint_answers_over_http_and_keeps_its_address(trained):
    endpoint = trained.run.deploy(name="session-digits")
    try:
        assert endpoint.state == "ready" and endpoint.key.startswith("lpt_")
        answer = endpoint.predict(row=3)
        assert isinstance(answer, Prediction) and answer.label in answer.scores and answer.picture
        assert trained.run.dataset.classes[trained.run.dataset.prepared.splits["test"].labels[3]] == answer.truth
        assert endpoint.predict_picture(answer.picture).label == answer.label
        again = trained.run.deploy(name="session-digits")
        assert (again.url, again.key) == (endpoint.url, None)
        assert again.summary.version == endpoint.summary.version
        fresh = Session(trained.store, Host())
        assert fresh.endpoint("session-digits").predict(row=3).label == answer.label
        with pytest.raises(SpecError, match="test rows 0 to 358"):
            endpoint.predict(row=359)
        with pytest.raises(SpecError, match="one of items"):
            endpoint.predict(row=1, input="[1]")
    finally:
        endpoint.stop()
    assert endpoint.state == "stopped"
    with pytest.raises(LookupError, match="session-digits"):
        trained.session.endpoint("session-digit")


def test_a_new_session_finds_the_last_run(trained):
    fresh = Session(trained.store, Host())
    assert fresh.run().id == trained.session.runs()[0].id
    assert fresh.run(trained.run.id).evaluate().accuracy == trained.run.evaluate().accuracy
    with pytest.raises(UnknownName, match=trained.run.id):
        fresh.run(trained.run.id[:-1])


def test_what_has_ended_takes_no_commands(trained):
    with pytest.raises(RunError, match="finished already"):
        trained.run.pause()
    with pytest.raises(RunError, match="is finished; train again"):
        trained.run.resume()
    with pytest.raises(SpecError, match="learning_rate is 0"):
        trained.run.set_learning_rate(0)


def test_a_cell_that_runs_again_replaces_its_run_and_no_other(notebook):
    first = notebook("nb.ipynb#cell-1")
    first.load_data("digits")
    one = first.select_model("mlp").train(epochs=2000)
    other = notebook("nb.ipynb#cell-2")
    other.load_data("digits")
    another = other.select_model("mlp").train(epochs=2000)
    restarted = notebook("nb.ipynb#cell-1")
    restarted.load_data("digits")
    two = restarted.select_model("mlp").train(epochs=1)
    assert str(one.until_over().state) == "stopped"
    assert not another.ended
    another.stop()
    assert str(two.until_over().state) == "finished"
    assert str(another.until_over().state) == "stopped"


def test_a_stopped_run_goes_on_from_its_checkpoint(notebook):
    session = notebook()
    session.load_data("digits")
    run = session.select_model("mlp").train(epochs=3000)
    run._until(lambda summary: (summary.step or 0) > 30, timeout=30)
    run.stop()
    assert str(run.until_over().state) == "stopped"
    with pytest.raises(RunError, match="resume it to get a report"):
        run.evaluate()
    at = run.summary.step
    run.resume()
    run._until(lambda summary: str(summary.state) == "running" and summary.step > at, timeout=30)
    run.stop()
    run.until_over()
    steps = run.curve.series["train_accuracy"].steps
    assert list(steps) == sorted(set(steps))


# --- data and models --------------------------------------------------------------------------------------------------


def test_a_frame_of_the_notebook_is_loaded_by_its_name(notebook):
    rows = [{"length": float(i % 7), "colour": "red" if i % 2 else "blue", "kind": "ab"[i % 2]} for i in range(60)]
    session = notebook(flowers=pandas.DataFrame(rows))
    dataset = session.load_data("flowers", target="kind")
    assert (dataset.name, dataset.modality, dataset.classes) == ("flowers", "table", ["a", "b"])
    assert session.select_model().name == "mlp"
    with pytest.raises(ModelError, match="Select mlp"):
        session.select_model("cnn")
    with pytest.raises(UnknownName, match="flowers"):
        session.load_data("flower")


def test_arrays_need_labels(notebook):
    inputs = np.random.default_rng(0).normal(size=(40, 5))
    session = notebook()
    with pytest.raises(DataError, match="labels are missing"):
        session.load_data(inputs)
    dataset = session.load_data((inputs, np.arange(40) % 4))
    assert len(dataset.classes) == 4 and sum(dataset.num_rows.values()) == 40


def test_preparing_in_another_way_makes_another_dataset(notebook):
    session = notebook()
    digits = session.load_data("digits")
    other = session.preprocess_data(digits, validation_fraction=0.3)
    assert other.num_rows["validation"] > digits.num_rows["validation"]
    assert session.current_dataset() is other


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda s: s.current_dataset(), SpecError, "%lepton data digits"),
        (lambda s: s.load_data("digit"), UnknownName, "Did you mean 'digits'?"),
        (lambda s: s.load_data("nowhere/rows.csv"), LookupError, "nowhere/rows.csv"),
        (lambda s: s.load_data("digits", normalise="x"), UnknownName, "normalize"),
        (lambda s: s.endpoint("nope"), UnknownName, "endpoint"),
    ],
)
def test_errors_say_what_to_do(tmp_path, ended_after, call, error, said):
    from lepton_lab.runs import Store

    with pytest.raises((error, DataError)) as caught:
        call(Session(Store(ended_after(tmp_path)), CellHost()))
    assert said in str(caught.value)


def test_an_unknown_network_or_option_gets_the_nearest(notebook):
    session = notebook()
    session.load_data("digits")
    with pytest.raises(UnknownName, match="'cnn'"):
        session.select_model("cn")
    with pytest.raises(UnknownName, match="channels"):
        session.select_model("cnn", chanels=3)
    with pytest.raises(ModelError, match="Give the class itself"):
        session.select_model(object())


# --- networks of one's own --------------------------------------------------------------------------------------------


def run_cells(*cells: str) -> dict:
    """A namespace as a notebook makes it: each cell compiled under a name of its own that linecache knows."""
    namespace = {"__name__": "__main__"}
    for number, cell in enumerate(cells):
        text, name = textwrap.dedent(cell), f"<ipython-input-{number}>"
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        exec(compile(text, name, "exec"), namespace)
    return namespace


def test_the_source_of_a_network_brings_what_it_needs():
    namespace = run_cells(
        "import math\nimport torch\nfrom torch import nn",
        "import torch.nn.functional as F\nfrom pathlib import Path as P",
        "WIDTH = 24\nUNUSED = object()\ndef scaled(x, by=WIDTH):\n    return F.relu(x) * math.sqrt(by)",
        """
        class Block(nn.Module):
            def __init__(self, width: int) -> None:
                super().__init__()
                self.linear = nn.Linear(width, width)

            def forward(self, x):
                return scaled(self.linear(x))


        class Net(nn.Module):
            size = WIDTH

            def __init__(self, num_classes, depth=2):
                super().__init__()
                self.first = nn.Linear(64, WIDTH)
                self.blocks = nn.ModuleList([Block(self.size) for _ in range(depth)])
                self.last = nn.Linear(WIDTH, num_classes)

            def forward(self, x):
                x = self.first(torch.flatten(x, 1))
                for block in self.blocks:
                    x = block(x)
                return self.last(x)
        """,
    )
    source = source_of(namespace["Net"])
    assert "UNUSED" not in source and "Path" not in source
    alone: dict = {"__name__": "elsewhere"}
    exec(source, alone)
    net = alone["Net"](10)
    assert net(alone["torch"].zeros(3, 1, 8, 8)).shape == (3, 10)


def test_what_cannot_travel_is_named():
    namespace = run_cells(
        "import torch\nhandle = open('/dev/null')\n"
        "class Net(torch.nn.Module):\n    def forward(self, x):\n        return handle\n"
    )
    with pytest.raises(ModelError, match="uses handle, a value of type TextIOWrapper"):
        source_of(namespace["Net"])
    namespace = run_cells(
        "import torch\nclass Net(torch.nn.Module):\n    def forward(self, x):\n        return missing(x)"
    )
    with pytest.raises(ModelError, match="missing, which is not defined"):
        source_of(namespace["Net"])
    bare = type("Bare", (namespace["torch"].nn.Module,), {})
    with pytest.raises(ModelError, match="%%lepton model NAME"):
        source_of(bare)


def test_a_cell_of_code_gets_the_imports_of_the_notebook():
    import math

    cell = "class Net(nn.Module):\n    def forward(self, x):\n        return x * math.pi\n\nclass Helper:\n    pass\n"
    assert class_in(cell, None) == "Net"
    assert complete(cell, {"math": math}).startswith("import math\n")
    with pytest.raises(ModelError, match="line 1"):
        class_in("class Net(:", None)
    with pytest.raises(ModelError, match="no class Nett; it defines Net, Helper"):
        class_in(cell, "Nett")
    with pytest.raises(ModelError, match="defines no class"):
        class_in("x = 1", None)


def test_a_network_of_a_script_trains_in_its_own_process(tmp_path, ended_after):
    script = tmp_path / "own.py"
    script.write_text(
        textwrap.dedent(
            """
            import torch
            from torch import nn
            import lepton_lab as lepton

            HIDDEN = 32

            class Own(nn.Module):
                def __init__(self, num_classes, dropout=0.0):
                    super().__init__()
                    self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, HIDDEN), nn.ReLU(), nn.Dropout(dropout),
                                                nn.Linear(HIDDEN, num_classes))

                def forward(self, x):
                    return self.layers(x)

            data = lepton.load_data("digits")
            run = lepton.select_model(Own, data, dropout=0.1).train(epochs=2, learning_rate=0.01)
            print(run.state, run.evaluate().accuracy > 0.5)
            """
        )
    )
    home = ended_after(tmp_path / "home")
    import os

    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=90,
        env={**os.environ, "LEPTON_HOME": str(home)},
        check=False,
    )
    assert done.stdout.split() == ["finished", "True"], done.stderr
    assert "epoch 2 of 2" in done.stderr


def test_the_faces_leave_torch_alone():
    code = (
        "import sys, lepton_lab as lepton; lepton.load_data; import lepton_lab.cli, lepton_lab.magics.magic, "
        "lepton_lab.widgets.display, lepton_lab.verbs; lepton.load_data('digits').card; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_package_hands_on_what_it_says():
    import lepton_lab

    assert set(lepton_lab.__all__) <= set(dir(lepton_lab))
    for name in lepton_lab.__all__:
        assert getattr(lepton_lab, name).__doc__ and callable(getattr(lepton_lab, name))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = lepton_lab.nothing
