"""Nothing is missing in the catalogue, and every message with values is recognised in the sentence made from it."""

from __future__ import annotations

import re

import pytest

from lepton_lab.words import Catalogue, catalogue
from lepton_lab.words.catalogue import entries
from lepton_lab.words.templates import fields_of, fill, is_template
from tests.tools.messages import CATALOGUE, collect, messages_of

FOUND = collect()
TEXT = CATALOGUE.read_text(encoding="utf-8")
CHINESE = dict(entries(TEXT))


def test_every_message_of_the_source_has_a_chinese_one():
    missing = {message: places for message, places in FOUND.places.items() if not CHINESE.get(message)}
    assert not missing, f"run `make words`, then translate: {missing}"


def test_the_catalogue_has_nothing_that_the_source_does_not_say():
    assert sorted(set(CHINESE) - set(FOUND.places) - {""}) == []


def test_both_sides_have_the_same_values():
    assert [message for message, said in CHINESE.items() if fields_of(message) != fields_of(said)] == []


def test_commands_and_names_in_a_message_stay_as_they_are():
    literal = re.compile(r"%%?lepton(?: [a-z]+)?|--[a-z-]{3,}|`\w[^`{}]*`|https?://")
    lost = {
        message: each
        for message, said in CHINESE.items()
        for each in literal.findall(message)
        if said and each not in said
    }
    assert lost == {}


def test_every_message_is_recognised_in_its_sentence():
    known = Catalogue({message: said for message, said in CHINESE.items() if message})
    wrong = {}
    for message in filter(is_template, known.messages):
        more = set(re.findall(r"\}\{(\w+)\}", message))
        values = {name: f"{' ' * (name in more)}<{number}>" for number, name in enumerate(fields_of(message))}
        found = known.recognise(fill(message, values), ours=True)
        if found is None or fill(known.messages[found[0].message], found[1]) != fill(CHINESE[message], values):
            wrong[message] = found[0].message if found else None
    assert wrong == {}


def test_babel_reads_the_same_from_the_file():
    pofile = pytest.importorskip("babel.messages.pofile")
    with CATALOGUE.open("rb") as file:
        read = {str(each.id): str(each.string) for each in pofile.read_po(file) if each.id}
    assert read == {message: said for message, said in CHINESE.items() if message}


def test_a_message_is_found_where_it_is_raised_and_where_it_is_marked():
    source = '''
def check(path, sizes, found):
    """Not a message at all."""
    hint = f" It has {len(found)} rows." if found else ""
    if not sizes:
        raise DataError(f"{path.name!r} has {sizes['wide']} columns.{hint}")
    return option(3, help="How many"), _(f"{found:.2f} of {found}"), f"SELECT {path}"
'''
    assert {message for message, _ in messages_of(source)} == {
        "{name} has {wide} columns.{hint}",
        "It has {count} rows.",
        "How many",
        "{found} of {found_2}",
    }


def test_english_needs_no_catalogue():
    assert catalogue("en") is None
