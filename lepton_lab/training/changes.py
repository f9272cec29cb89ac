"""Which random changes of the training rows a run makes: what was asked one by one, else what the level holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lepton_lab.errors import RunFailed

if TYPE_CHECKING:
    from lepton_lab.specs import Problem, TrainSpec

FITTING: dict[str, tuple[str, ...]] = {
    "image": ("crop", "rotate", "shift", "flip", "cutout", "erase", "mixup"),
    "audio": ("shift", "spec_augment", "noise"),
    "text": ("word_dropout",),
}
"""By what a row is: the changes that there are, as options of `TrainSpec`, in the order in which they are made."""

LEVELS: dict[str, dict[str, tuple[str, ...]]] = {
    "light": {"image": ("shift", "cutout"), "audio": ("shift", "spec_augment"), "text": ("word_dropout",)},
    "strong": {
        "image": ("rotate", "shift", "cutout", "mixup"),
        "audio": ("shift", "spec_augment", "noise"),
        "text": ("word_dropout",),
    },
}
"""What each level of `augment` makes."""

LEFT_OUT = {"light": 0.1, "strong": 0.2}
"""Share of the tokens of a text that a level makes unknown."""

_SWITCHES = tuple(name for names in FITTING.values() for name in names if name not in ("flip", "word_dropout"))


def fitting(problem: Problem) -> tuple[str, ...]:
    """The changes that rows of a problem can undergo."""
    if problem.task == "detection":
        return ("shift", "flip")  # boxes go along
    if problem.task == "language":
        return ()
    names = FITTING.get(problem.modality, ())
    return names if problem.task == "classification" else tuple(name for name in names if name != "mixup")


def choose_changes(spec: TrainSpec, level: str, problem: Problem) -> tuple[list[str], float, dict[str, str]]:
    """The changes of a run.

    Args:
        spec: What was asked.
        level: The level of `augment`, decided: "none", "light" or "strong".
        problem: What a row is.

    Returns:
        The names of the changes in the order in which they are made, the share of tokens that become unknown (0 for
        none), and "on because ..." for each change that follows from the level.

    Raises:
        RunFailed: A change was asked for that rows of this kind cannot undergo.
    """
    possible = fitting(problem)
    asked = {name: getattr(spec, name) for name in _SWITCHES if getattr(spec, name) != "auto"}
    asked |= {"flip": "on"} if spec.flip else {}
    asked |= {} if spec.word_dropout is None else {"word_dropout": "on" if spec.word_dropout else "off"}
    if strange := [name for name, value in asked.items() if value == "on" and name not in possible]:
        named = ", ".join(possible) or "none"
        raise RunFailed(
            f"{strange[0]} is asked for, but rows of this kind ({problem.modality}, {problem.task}) cannot undergo it; "
            f"what can change them: {named}.",
            "error",
        )
    held = LEVELS.get(level, {}).get(problem.modality, ())
    made = [name for name in possible if asked.get(name, "on" if name in held else "off") == "on"]
    share = 0.0
    if "word_dropout" in made:
        share = LEFT_OUT[level] if spec.word_dropout is None else spec.word_dropout
    reasons = {name: f"on because augment is {level}" for name in made if name not in asked}
    if "word_dropout" in reasons:
        reasons["word_dropout"] = f"{share:g} because augment is {level}"
    return made, share, reasons
