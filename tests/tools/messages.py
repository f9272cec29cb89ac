"""Finds the messages of the Python side in its source, and brings the catalogue up to date (`make words`).

What is a message: the argument of `_`, `say` and `N_`; the sentence of an exception or a remark; the help of an option,
a positional or a verb; and every string that reads like a sentence. An f-string becomes a message with named fields.
"""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lepton_lab.words.catalogue import entries

PACKAGE = Path(__file__).parents[2] / "lepton_lab"
CATALOGUE = PACKAGE / "words" / "locale" / "zh_CN" / "LC_MESSAGES" / "lepton_lab.po"

MARKS, TOLD = {"_", "say", "N_"}, {"progress", "_progress"}
HELPS = {"option": (1, "help"), "Option": (2, "help"), "Positional": (1, "help"), "Verb": (1, "help")}
_RAISED = re.compile(
    r"(Error|Failed|Busy|Taken|Refused|NotBuilt|Cancelled|NonFiniteLoss|NotTrainable|Remark|__init__)$|^_?refused$"
)
_FORMAT = re.compile(r"\{([a-z_]+)(?:![rs])?(?::[^{}]*)?\}")
"""A value in a text that `str.format` fills in."""
_CODE = re.compile(r"^(UPDATE|DELETE|SELECT|INSERT|CREATE|ALTER|PRAGMA) ")
_SENTENCE = re.compile(r"^[A-Z`%{\"'][^<>]*[.?]$")
_SHAPING = {
    "replace",
    "strip",
    "rstrip",
    "removeprefix",
    "lower",
    "upper",
    "title",
    "get",
    "read_text",
    "total_seconds",
}
"""Methods that give a value another look, and no name."""
REASONED = {"_told", "choose"}
"""Functions that return what they chose with the reason for it."""
NOT_SAID = {"words", "labextension", "voila"}
"""Folders without messages."""
NOT_PROSE = {"openapi.py", "clients.py", "page.py", "access.py", "manifest.py", "about.py"}
"""Files whose strings are code, protocol or logs; marked messages and exceptions count there too."""

_HEADER = """# 简体中文
msgid ""
msgstr ""
"Project-Id-Version: lepton_lab\\n"
"Language: zh_CN\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"

"""


@dataclass
class Found:
    """Messages and where they stand."""

    places: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    _skeletons: dict[str, str] = field(default_factory=dict)

    def add(self, message: str, path: str, line: int) -> None:
        """Takes a message; one that differs from another in the names of its fields alone is the same."""
        if sum(map(str.isalpha, re.sub(r"\{\w+\}", "", message))) < 2:
            return
        known = self._skeletons.setdefault(re.sub(r"\{\w+\}", "{}", message), message)
        self.places.setdefault(known, []).append((path, line))


def update(path: Path = CATALOGUE) -> list[str]:
    """Brings the catalogue up to date: new messages come in empty, those that are gone go out.

    Returns:
        The messages that have no translation yet.
    """
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import write_po

    known = dict(entries(path.read_text(encoding="utf-8"))) if path.exists() else {}
    catalogue = Catalog("zh_Hans_CN", project="lepton_lab", fuzzy=False, header_comment="# 简体中文")
    for message, places in collect().places.items():
        files = sorted({name for name, _ in places})
        catalogue.add(message, known.get(message, ""), [(name, None) for name in files])
    written = io.BytesIO()
    write_po(written, catalogue, width=10_000, omit_header=True, include_lineno=False)
    path.write_text(_HEADER + written.getvalue().decode("utf-8").lstrip("\n"), encoding="utf-8")
    return [message for message, said in entries(path.read_text(encoding="utf-8")) if message and not said]


def collect(package: Path = PACKAGE) -> Found:
    """All messages of the package, in the order of its files."""
    found = Found()
    for path in sorted(package.rglob("*.py")):
        if path.relative_to(package).parts[0] not in NOT_SAID:
            name = path.relative_to(package.parent).as_posix()
            for message, line in messages_of(path.read_text(encoding="utf-8"), prose=path.name not in NOT_PROSE):
                found.add(message, name, line)
    return found


def messages_of(source: str, *, prose: bool = True) -> Iterator[tuple[str, int]]:
    """(message, line) of each message of a module's source."""
    tree = ast.parse(source)
    silent = _silent(tree)
    for function in [
        tree,
        *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)),
    ]:
        texts = _assigned(function) if function is not tree else {}
        name = getattr(function, "name", "")
        for node in ast.walk(function):
            if isinstance(node, ast.Call):
                for text in _said_by(node):
                    yield from _messages(text, texts, deep=True)
            elif isinstance(node, ast.Assign):
                for text in _reasons(node):
                    yield from _messages(text, texts, deep=True)
            elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and name in REASONED:
                for text in node.value.elts:
                    yield from (each for each in _messages(text, texts, deep=True) if " " in each[0])
            elif isinstance(node, ast.Dict):
                for key, text in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "task_reason":
                        yield from _messages(text, texts, deep=True)
            if prose and function is tree and id(node) not in silent and _is_text(node):
                message = _message(node)
                if message and _reads_like_a_sentence(message):
                    yield message, node.lineno
                    yield from _inside(node, {})


def _said_by(call: ast.Call) -> list[ast.expr]:
    """The arguments of a call that a person reads."""
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if (name in MARKS and isinstance(call.func, ast.Name)) or name in TOLD:
        return call.args[:1]
    if name == "_said":
        return call.args[:1]
    if name == "heads":
        return list(call.args)
    if name == "fill_arrays":
        return call.args[3:4]
    if name in HELPS:
        place, word = HELPS[name]
        text = given.get(word) or (call.args[place] if len(call.args) > place else None)
        return [each for each in (text, given.get("unit")) if each is not None]
    if name == "UnknownName":
        return call.args[:1]
    if name == "Column" and "reason" in given:
        return [given["reason"]]
    if _RAISED.search(name):
        return [each for each in call.args if " " in (_message(each) or " ")]
    return []


def _reasons(node: ast.Assign) -> list[ast.expr]:
    """What is set as the reason of a column or a task, which stands on the card of a dataset."""
    target, value = node.targets[0], node.value
    pairs = (
        zip(target.elts, value.elts, strict=False)
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
        else [(target, value)]
    )
    named = [text for name, text in pairs if (getattr(name, "attr", "") or getattr(name, "id", "")) == "reason"]
    return [text for text in named if " " in (_message(text) or " ")]


def _messages(node: ast.expr, texts: dict[str, list[ast.expr]], *, deep: bool) -> Iterator[tuple[str, int]]:
    """The messages of an expression, and those of the parts that it is made of."""
    if isinstance(node, ast.IfExp):
        yield from _messages(node.body, texts, deep=deep)
        yield from _messages(node.orelse, texts, deep=deep)
        return
    if isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _messages(value, texts, deep=deep)
        return
    if isinstance(node, ast.Name) and deep:
        for value in texts.get(node.id, []):
            yield from _messages(value, texts, deep=False)
        return
    message = _message(node)
    if message:
        yield message, node.lineno
        yield from _inside(node, texts)


def _inside(node: ast.expr, texts: dict[str, list[ast.expr]]) -> Iterator[tuple[str, int]]:
    """Words that a message takes in by a condition or through a variable of its function."""
    for value in _values(node):
        for part in ast.walk(value):
            if isinstance(part, ast.IfExp):
                for branch in (part.body, part.orelse):
                    if " " in (_message(branch) or ""):
                        yield from _messages(branch, {}, deep=False)
        if isinstance(value, ast.Name):
            for text in texts.get(value.id, []):
                yield from (each for each in _messages(text, {}, deep=False) if " " in each[0])


def _values(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.JoinedStr):
        return [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
    if isinstance(node, ast.BinOp):
        return [value for side in (node.left, node.right) for value in (_values(side) or [side])]
    return []


def _message(node: ast.expr) -> str | None:
    """The message of a string, an f-string or a sum of them; None for any other expression."""
    parts = _parts(node)
    if parts is None or not any(isinstance(part, str) for part in parts):
        return None
    taken: dict[str, int] = {}
    said = []
    for part in parts:
        if isinstance(part, str):
            said.append(part.replace("{", "{{").replace("}", "}}") if len(parts) > 1 else part)
            continue
        name = _name(part)
        taken[name] = taken.get(name, 0) + 1
        said.append("{" + name + (f"_{taken[name]}" if taken[name] > 1 else "") + "}")
    return "".join(said).strip()


def _parts(node: ast.expr) -> list[str | ast.expr] | None:
    if isinstance(node, ast.Constant):
        return [_FORMAT.sub(r"{\1}", node.value)] if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        parts = [value.value if isinstance(value, ast.FormattedValue) else value for value in node.values]
        return [str(part.value) if isinstance(part, ast.Constant) else part for part in parts]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = [_parts(side) or [side] for side in (node.left, node.right)]
        return [*sides[0], *sides[1]] if any(isinstance(part, str) for side in sides for part in side) else None
    return None


def _name(node: ast.expr) -> str:
    """A name for a value, from the expression that it comes from."""
    if isinstance(node, ast.Name):
        name = node.id
    elif isinstance(node, ast.Attribute):
        name = node.attr
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        name = node.slice.value
    elif isinstance(node, ast.Subscript | ast.Starred):
        return _name(node.value)
    elif isinstance(node, ast.Call):
        name = _called(node)
    else:
        name = "value"
    name = re.sub(r"\W", "_", name).strip("_").lower()
    return name if re.match(r"[a-z]", name) else "value"


def _called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute) and call.func.attr == "join":
        return _name(call.args[0]) if call.args else "names"
    plain = isinstance(call.func, ast.Name) and call.func.id in (
        "str",
        "repr",
        "sorted",
        "map",
        "list",
        "round",
        "abs",
        "int",
    )
    if plain and call.args:
        return _name(call.args[-1])
    if isinstance(call.func, ast.Name) and call.func.id == "len":
        return "count"
    if isinstance(call.func, ast.Attribute) and call.func.attr in _SHAPING:
        return _name(call.func.value)
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "value")


def _assigned(function: ast.AST) -> dict[str, list[ast.expr]]:
    """What a function's variables are set to, where that is text."""
    texts: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        named = isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
        if named and (isinstance(node.value, ast.IfExp | ast.BoolOp) or _message(node.value)):
            texts.setdefault(node.targets[0].id, []).append(node.value)
    return texts


def _silent(tree: ast.AST) -> set[int]:
    """Strings that nobody reads: documentation, and the parts of f-strings and sums, which count as a whole."""
    silent = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            silent.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            silent.update(id(part) for part in node.values)
            silent.update(id(part) for part in ast.walk(node) if part is not node and isinstance(part, ast.Constant))
        elif isinstance(node, ast.BinOp):
            silent.update(id(side) for side in (node.left, node.right))
    return silent


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp)


def _reads_like_a_sentence(message: str) -> bool:
    words = re.findall(r"[A-Za-z]{2,}", re.sub(r"\{\w+\}", "", message))
    return (
        len(words) >= 2
        and bool(_SENTENCE.match(message))
        and not _CODE.match(message)
        and not {"\n", "\\"} & set(message)
    )


if __name__ == "__main__":
    for each in update():
        print(each)
