"""What a reader of Chinese sees: help, errors and warnings, at the faces; records stay English."""

from __future__ import annotations

import contextlib
import json
import locale
import os
import subprocess
import sys
from datetime import datetime

import pytest
from IPython.testing.globalipapp import start_ipython

from lepton_lab.errors import SpecError, UnknownName
from lepton_lab.runs.curve import Curve
from lepton_lab.runs.summary import RunSummary
from lepton_lab.runs.verdict import describe
from lepton_lab.session.texts import moment
from lepton_lab.specs import TrainSpec
from lepton_lab.verbs import VERBS, help_for, overview, parse
from lepton_lab.words import LANGUAGES, choose, columns, keep, language, language_of, say, speaking, told, wrap
from lepton_lab.words.choice import _from_files


@pytest.fixture
def surroundings(monkeypatch, tmp_path):
    """No language is asked for, and the user has no configuration."""
    for name in ("LEPTON_LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG", "JPY_PARENT_PID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LEPTON_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))
    _from_files.cache_clear()
    yield monkeypatch
    choose(None)
    _from_files.cache_clear()


def test_the_language_is_what_was_asked_for_first(surroundings, tmp_path):
    assert language() == "en"
    surroundings.setenv("LANG", "zh_CN.UTF-8")
    assert language() == "zh"
    surroundings.setenv("LC_ALL", "C")
    assert language() == "en"
    (tmp_path / "config.toml").write_text('language = "zh"\n')
    _from_files.cache_clear()
    assert language() == "zh"
    surroundings.setenv("LEPTON_LANG", "en")
    assert language() == "en"
    choose("zh")
    assert language() == "zh"
    with speaking("en-GB,en;q=0.9"):
        assert language() == "en"


def test_a_kernel_reads_jupyterlabs_own_setting(surroundings, tmp_path):
    folder = tmp_path / "jupyter/lab/user-settings/@jupyterlab/translation-extension"
    folder.mkdir(parents=True)
    (folder / "plugin.jupyterlab-settings").write_text('{\n    // Locale\n    "locale": "zh_CN"\n}')
    assert language() == "en"
    _from_files.cache_clear()
    surroundings.setenv("JPY_PARENT_PID", "1")
    assert language() == "zh"


@pytest.mark.parametrize(
    ("name", "known"),
    [("zh-Hans-CN", "zh"), ("en_GB.UTF-8", "en"), ("de-DE,zh;q=0.5", "zh"), ("zhx", None), ("", None), (None, None)],
)
def test_names_of_locales(name, known):
    assert language_of(name) == known


def test_a_language_that_is_kept_leaves_the_rest_of_the_configuration(surroundings, tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('# mine\n[notify]\non = ["failed"]\n')
    assert keep("zh") == path and language() == "zh"
    keep("en")
    assert path.read_text() == 'language = "en"\n# mine\n[notify]\non = ["failed"]\n'
    keep(None)
    assert path.read_text() == '# mine\n[notify]\non = ["failed"]\n'


def test_every_verb_has_chinese_help_without_english_prose():
    with speaking("zh"):
        assert "加载数据集" in overview() and "从数据到端点" in overview()
        for name, verb in VERBS.items():
            text = help_for(parse(f"{name} --help"))
            assert any("\u4e00" <= sign <= "\u9fff" for sign in text.splitlines()[2]), text
            assert all(columns(line) <= 102 for line in text.splitlines() if "--" not in line), text
            assert not any(option.help and option.help in text for option in verb.options), name


def test_an_error_is_chinese_at_the_face_and_english_in_itself():
    with pytest.raises(SpecError) as raised:
        TrainSpec.parse({"epochs": 0})
    assert str(raised.value) == "train: epochs is 0; expected greater than or equal to 1."
    with speaking("zh"):
        assert say(str(raised.value)) == "train: epochs 为 0；应大于或等于 1。"
        assert str(raised.value).startswith("train: epochs is 0")
        assert say(str(UnknownName("run", "digit", ["digits"]))) == "没有名为 'digit' 的运行。你是指 'digits' 吗？"


ENDS = [(None, ""), (-9, ""), (-11, "Segmentation fault (core dumped)"), (3, "ValueError: not (a) row")]


@pytest.mark.parametrize(("code", "line"), ENDS)
def test_why_a_run_failed_is_told_to_a_page_in_chinese_beside_the_english_sentence(tmp_path, code, line):
    (tmp_path / "worker.log").write_text(line)
    how = describe(tmp_path, code)
    for sentence in (how, f"{how} It was restarted 2 times (max_restarts)."):
        page = RunSummary("a", state="failed", reason="worker_died", message=sentence).to_page()
        assert page["message"] == sentence and set(page["said"]) == {"zh"}
        chinese = page["said"]["zh"]
        assert chinese.startswith("工作进程") and line in chinese and "It " not in chinese, chinese
        assert chinese.count("（") == chinese.count("）"), chinese
    assert "said" not in RunSummary("a", state="failed", message=how).to_dict(), "records and JSON are English"


def test_what_no_catalogue_knows_is_told_in_english_alone():
    assert told({"message": "qwerty asdf"}) == {"message": "qwerty asdf"}
    assert told({"message": None}) == {"message": None} and told({}) == {}


def test_a_frame_tells_what_happened_in_chinese_too():
    curve = Curve("a")
    events = [
        {"type": "RunQueued", "name": "a", "dataset": "digits", "model": "cnn"},
        {"type": "RunStarted", "step": 0, "from_step": 0},
        {"type": "RunRestarted", "from_step": 7, "attempt": 1, "message": "The worker process disappeared."},
        {"type": "RunFailed", "reason": "worker_died", "message": "The worker process ended with code 3."},
    ]
    for seq, event in enumerate(events, start=1):
        curve.apply({"seq": seq, "time": 1.0, "elapsed_seconds": 0.0, **event})
    header, _ = curve.frame()
    assert header["summary"]["said"] == {"zh": "工作进程以代码 3 结束。"}
    assert [mark["said"]["zh"] for mark in header["marks"]] == [
        "从第 7 步重新开始：工作进程消失了。",
        "工作进程以代码 3 结束。",
    ]
    assert all("said" not in mark for mark in curve.marks)


def test_a_moment_is_written_as_the_readers_language_does_whatever_the_process_is_set_to():
    now, before = datetime.now().replace(month=3, day=9, hour=14, minute=5), datetime(2021, 11, 30, 8, 0)
    kept = locale.setlocale(locale.LC_TIME)
    try:
        with contextlib.suppress(locale.Error):  # where that language is installed
            locale.setlocale(locale.LC_TIME, "de_DE.UTF-8")
        assert (moment(now.timestamp()), moment(before.timestamp())) == ("9 Mar 14:05", "30 Nov 2021 08:00")
        with speaking("zh"):
            assert (moment(now.timestamp()), moment(before.timestamp())) == ("3月9日 14:05", "2021年11月30日 08:00")
    finally:
        locale.setlocale(locale.LC_TIME, kept)


def test_names_in_a_sentence_are_never_translated():
    with speaking("zh"):
        assert say("There is no file Options.") == "没有文件 Options。"
        assert say("my own words, whatever they are") == "my own words, whatever they are"


def test_the_magic_says_its_help_and_its_errors_in_chinese(surroundings, capsys):
    shell = start_ipython() or __import__("IPython").get_ipython()
    shell.run_line_magic("load_ext", "lepton_lab")
    surroundings.setenv("LEPTON_LANG", "zh")
    shell.run_cell("%lepton train --help")
    assert "遍历训练行的次数" in capsys.readouterr().out
    shell.run_cell("%lepton train --epochs many")
    assert "train: --epochs 为 'many'；应为整数。" in capsys.readouterr().out


def test_an_error_of_the_python_interface_ends_with_its_sentence_in_chinese(surroundings, capsys):
    shell = start_ipython() or __import__("IPython").get_ipython()
    surroundings.setenv("LEPTON_LANG", "zh")
    shell.run_cell("import lepton_lab.widgets\nlepton_lab.widgets.install()")
    shell.run_cell("from lepton_lab.errors import UnknownName\nraise UnknownName('run', 'digit', ['digits'])")
    told = capsys.readouterr().out
    assert "No run is called 'digit'." in told and told.rstrip().endswith(
        "没有名为 'digit' 的运行。你是指 'digits' 吗？"
    )
    shell.set_custom_exc((), None)


def test_the_command_line_speaks_chinese_and_its_json_english(tmp_path):
    env = {**os.environ, "LEPTON_LANG": "zh", "LEPTON_HOME": str(tmp_path)}
    words = [sys.executable, "-m", "lepton_lab", "run", "nothing", "--json"]
    done = subprocess.run(words, env=env, capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert "没有名为 'nothing' 的运行" in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["error"].startswith("No run is called 'nothing'.")


def test_lines_are_broken_between_characters_and_never_before_a_full_stop():
    assert wrap("训练所用的设备。", 14) == ["训练所用的设备。"]
    assert wrap("训练（设备）", 6) == ["训练", "（设备）"]
    assert wrap("a few plain words", 9) == ["a few", "plain", "words"]
    assert set(LANGUAGES) == {"en", "zh"}
