"""What a person relies on when typing a verb: what is written can be read back, and a slip is told what to type."""

from __future__ import annotations

import ast
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab.errors import SpecError, UnknownName
from lepton_lab.specs import MODEL_OPTIONS, SPECS
from lepton_lab.verbs import VERBS, help_for, options_for, overview, parse, python_for, write
from lepton_lab.verbs.options import Option, options_of

TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=0, max_size=30)
NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,20}", fullmatch=True)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)


def value_of(option: Option) -> st.SearchStrategy:
    if option.choices:
        return st.sampled_from(option.choices)
    return {int: st.integers(-(10**9), 10**9), float: NUMBER, bool: st.booleans(), str: TEXT}[option.kind]


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, dict, str | None]:
    verb = VERBS[draw(st.sampled_from(sorted(VERBS)))]
    values, words = {}, []
    for positional in verb.positionals:
        if positional.required or draw(st.booleans()):
            names = st.sampled_from(sorted(MODEL_OPTIONS)) if positional.values == "model" else TEXT
            values[positional.name] = draw(st.lists(names, min_size=1, max_size=3) if positional.many else names)
            words += values[positional.name] if positional.many else [values[positional.name]]
        else:
            break
    options = (*(options_for(verb, words) or ()), *verb.hidden)
    for option in draw(st.lists(st.sampled_from(options), unique=True, max_size=6)) if options else []:
        values[option.name] = draw(value_of(option))
    cell = "class Net(nn.Module):\n    pass\n" if verb.takes_cell and draw(st.booleans()) else None
    return verb.name, values, cell


@settings(max_examples=400, deadline=None)
@given(requests())
def test_what_is_written_is_read_back(request):
    verb, values, cell = request
    text = write(verb, values, cell=cell)
    line, _, body = text.partition("\n")
    read = parse(line, body if cell is not None else None)
    assert (read.verb.name, read.values, read.cell) == (verb, values, cell)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        NAME.filter(lambda name: name not in ("name", "class_name") and not name.endswith("_")),
        st.one_of(st.integers(), NUMBER, st.booleans(), st.none(), TEXT, st.lists(st.integers(), max_size=3)),
        max_size=4,
    )
)
def test_the_arguments_of_a_network_of_ones_own_are_read_back(options):
    values = {"name": "MyNet", **options}
    assert parse(write("model", values)).values == values


@settings(max_examples=200, deadline=None)
@given(requests())
def test_the_python_of_a_request_carries_its_values(request):
    verb, values, _ = request
    tree = ast.parse(python_for(verb, values, cell=None))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    said = {k.arg: ast.literal_eval(k.value) for call in calls for k in call.keywords}
    for name, value in said.items():
        if verb == "fork" and name in ("data", "model"):
            assert value == {key[len(name) + 1 :]: each for key, each in values.items() if key.startswith(f"{name}_")}
            continue
        full = [values[key] for key in (name, f"data_{name}", f"model_{name}") if key in values]
        assert value in full or (verb, name, value) == ("continue", "epochs", 10)
    if verb in ("data", "deploy"):
        assert set(said) == set(values) - {"name" if verb == "data" else "run"}


def test_every_plain_field_of_a_spec_is_an_option_with_help():
    for name, spec in {**SPECS, **MODEL_OPTIONS}.items():
        for option in options_of(spec):
            assert option.help, f"{name}.{option.name} has no help"
            assert option.kind in (int, float, str, bool)


def test_the_quickstart_reads_as_typed_values():
    assert parse("data digits").values == {"name": "digits"}
    assert parse("model rnn --cell gru --no-bidirectional --layers=2").values == {
        "name": "rnn",
        "cell": "gru",
        "bidirectional": False,
        "layers": 2,
    }
    train = parse("train --epochs 20 --learning-rate 1e-3 --batch-size none").values
    assert train == {"epochs": 20, "learning_rate": 0.001, "batch_size": None}
    assert parse("predict digits --row 0").values == {"endpoint": "digits", "row": 0}
    assert parse("deploy --name digits run-1").values == {"name": "digits", "run": "run-1"}
    assert parse("train --data digits --data-split-seed 3 --model cnn --model-channels 16").values == {
        "data": "digits",
        "data_split_seed": 3,
        "model": "cnn",
        "model_channels": 16,
    }


@pytest.mark.parametrize(
    ("line", "error", "said"),
    [
        ("trian", UnknownName, "Did you mean 'train'"),
        ("train --epoch 3", SpecError, "--epochs"),
        ("train --epochs ten", SpecError, "expected a whole number"),
        ("train --epochs", SpecError, "--epochs needs a value"),
        ("train --optimizer adm", SpecError, "did you mean adam?"),
        ("train now", SpecError, "'now' is one word too many"),
        ("model cnn --cell gru", SpecError, "model has no option --cell"),
        ("model --channels 3", SpecError, "Name the network first"),
        ("model rnn --bidirectional=yes", SpecError, "--no-bidirectional"),
        ("data", SpecError, "NAME is missing"),
        ("runs --limit x", SpecError, "whole number"),
        ("endpoints --x", SpecError, "It has no options"),
        ('data "digits', SpecError, "quote"),
    ],
)
def test_a_slip_is_told_what_to_type(line, error, said):
    with pytest.raises(error) as caught:
        parse(line)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_only_model_takes_a_cell():
    assert parse("model MyNet", "class MyNet: ...").cell == "class MyNet: ..."
    with pytest.raises(SpecError, match="one percent sign"):
        parse("train", "x = 1")


def test_help_names_every_option_in_its_group():
    text = help_for(parse("train --help"))
    options, _, advanced = text.partition("\nAdvanced\n")
    assert "--epochs N" in options and "--optimizer adamw|adam|sgd" in options
    assert "--checkpoint-every-seconds s" in advanced
    assert "--cell lstm|gru" in help_for(parse("model rnn --help"))
    assert all(f"%lepton {name}" in overview() for name in VERBS)
    assert "studio" not in overview("lepton-lab", notebook=False)
    assert max(map(len, text.splitlines())) <= 100


def test_numbers_keep_all_their_digits():
    line = write("train", {"learning_rate": math.pi / 1000})
    assert parse(line).values["learning_rate"] == math.pi / 1000
