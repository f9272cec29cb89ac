"""The command line does the whole job, prints one JSON object where asked, and says errors in one sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from lepton_lab.cli import main
from lepton_lab.verbs import VERBS
from tests.processes import end_processes_of


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli")
    yield path
    end_processes_of(path)


def start(home, *words: str) -> subprocess.Popen[str]:
    env = {**os.environ, "LEPTON_HOME": str(home)}
    command = [sys.executable, "-m", "lepton_lab", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def call(home, *words: str, code: int = 0) -> tuple[str, str]:
    process = start(home, *words)
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    return out, err


def as_json(home, *words: str, code: int = 0) -> dict:
    out, _ = call(home, *words, "--json", code=code)
    return json.loads(out.splitlines()[-1])


def test_the_demo_does_the_whole_job(home):
    result = as_json(home, "demo", "--epochs", "12")
    assert result["dataset"] == "digits" and result["model"] == "cnn"
    assert result["test_accuracy"] >= 0.97
    assert result["first_point_seconds"] > 0 and result["live_updates"] >= 3
    assert result["endpoint_url"].startswith("http://127.0.0.1:")
    assert isinstance(result["prediction_correct"], bool)
    endpoints = as_json(home, "endpoints")["endpoints"]
    assert [(each["name"], each["state"]) for each in endpoints] == [("demo", "stopped")]


def test_each_verb_finds_what_another_process_did(home):
    run = as_json(home, "train", "--data", "digits", "--model", "mlp", "--epochs", "3", "--name", "from-cli")
    assert (run["run_id"], run["state"]) == ("from-cli", "finished")
    assert as_json(home, "runs", "--limit", "1")["runs"][0]["run_id"] == "from-cli"
    assert as_json(home, "evaluate", "from-cli")["accuracy"] > 0.5
    deployed = as_json(home, "deploy", "from-cli", "--name", "cli-digits")
    assert deployed["state"] == "ready" and deployed["key"].startswith("lpt_")
    answer = as_json(home, "predict", "cli-digits", "--row", "1")
    assert answer["label"] in answer["scores"] and answer["row"] == 1
    assert as_json(home, "stop", "cli-digits")["state"] == "stopped"
    assert as_json(home, "status")["endpoints"]
    assert as_json(home, "data", "digits")["rows"]["test"] == 359
    assert as_json(home, "model", "cnn", code=2)["kind"] == "SpecError"


def test_text_is_for_people(home):
    out, _ = call(home, "runs")
    assert out.splitlines()[0].split()[:2] == ["run", "state"]
    out, _ = call(home)
    assert "lepton-lab train" in out and "studio" not in out and "lepton-lab demo" in out
    out, _ = call(home, "model", "rnn", "--help")
    assert out.startswith("lepton-lab model") and "--cell" in out
    assert "--keep" in call(home, "demo", "--help")[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian"], "Did you mean 'train'"),
        (["train", "--epoch", "3"], "--epochs"),
        (["train"], "lepton-lab data digits"),
        (["evaluate", "nothing"], "No run is called 'nothing'"),
        (["studio"], "needs a notebook"),
        (["demo", "--fast"], "demo has no option --fast"),
        (["--epochs", "3"], "The verb comes first"),
    ],
)
def test_errors_are_one_sentence_and_code_two(home, words, said, capsys):
    assert as_json(home, *words, code=2)["error"]
    assert main([*words]) == 2
    err = capsys.readouterr().err
    assert said in err and "Traceback" not in err and "%lepton" not in err


def test_interrupting_the_wait_leaves_the_run_alone(home):
    process = start(home, "train", "--data", "digits", "--model", "mlp", "--epochs", "5000", "--name", "long")
    deadline = time.monotonic() + 40
    lines = []
    while "epoch" not in "".join(lines) and time.monotonic() < deadline:
        lines.append(process.stderr.readline())
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130 and "Runs go on by themselves" in err
    assert as_json(home, "run", "long")["state"] in ("running", "starting")
    assert as_json(home, "pause", "long")["run_id"] == "long"
    assert as_json(home, "set", "long", "--learning-rate", "0.001")["run_id"] == "long"
    as_json(home, "stop", "long")
    deadline = time.monotonic() + 20
    while as_json(home, "run", "long")["state"] != "stopped" and time.monotonic() < deadline:
        pass
    assert as_json(home, "run", "long")["state"] == "stopped"


def test_every_verb_has_help(capsys):
    for verb in VERBS:
        assert main([verb, "--help"]) == 0
    assert "Type: %lepton" not in capsys.readouterr().out
