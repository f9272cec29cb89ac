"""How a trained network is made small, and which of the results is wanted."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from lepton_lab.errors import UnknownName
from lepton_lab.specs.base import Fraction, Spec, option

COMPRESSION_STEPS: dict[str, str] = {
    "distill": "train a smaller network to answer as the large one does",
    "slim": "take whole channels and hidden units out, in several rounds of fine-tuning",
    "prune": "set the weights that matter least to zero, more and more of them while fine-tuning",
    "share": "let the weights of a layer share a few values, which are fine-tuned; the file is entropy coded",
    "int4": "round the weights to 4 bits while fine-tuning; the file is entropy coded",
    "dynamic-int8": "8-bit weights; the scale of what flows between layers is found anew for each request",
    "static-int8": "8-bit weights and activations; scales come from real samples",
    "qat-int8": "8-bit weights and activations, fine-tuned with the rounding in place",
}
"""What can be done to a network, in the order in which steps of one recipe are taken."""
LAST_STEPS = frozenset({"share", "int4", "dynamic-int8", "static-int8", "qat-int8"})
"""Steps that fix how weights are written: a recipe has at most one of them."""
DEFAULT_RECIPES = (
    "dynamic-int8",
    "static-int8",
    "qat-int8",
    "int4",
    "share",
    "prune",
    "prune+share",
    "slim",
    "slim+static-int8",
    "distill",
    "distill+prune+share",
)
MAX_RECIPES = 40


class CompressSpec(Spec):
    """How a trained network is made small, and which of the results is wanted."""

    recipes: str = option(
        "auto", "Variants to make, separated by commas; steps joined by +: prune+share,static-int8 (auto: a selection)"
    )
    target: Literal["smallest", "fastest", "most_accurate"] = option("smallest", "What the chosen variant should be")
    max_loss: float = option(
        1.0, "Largest loss of the chosen variant on the test rows", unit="points of accuracy", ge=0, le=100
    )
    epochs: float = option(2.0, "Passes over the training rows for each fine-tuning", gt=0, le=1000)
    sparsity: Fraction | None = option(
        None, "Share of the weights that prune sets to zero (default: as many as the validation rows allow)"
    )
    width: float = option(0.5, "Share of channels and hidden units that slim and distill keep", gt=0, le=1)
    levels: int = option(16, "Different values that the weights of a layer may share", advanced=True, ge=2, le=256)
    learning_rate: float = option(1e-3, "Step length of fine-tuning at its highest", advanced=True, gt=0, le=1)
    calibration_rows: int = option(
        256, "Training rows that the scales of static-int8 come from", advanced=True, ge=8, le=65_536
    )
    seed: int = option(0, "Seed of the order of rows", advanced=True, ge=0, le=2**31 - 1)

    @field_validator("recipes")
    @classmethod
    def _are_known(cls, recipes: str) -> str:
        names = recipe_names(recipes)
        if not names or len(names) > MAX_RECIPES:
            raise ValueError(f"recipes holds {len(names)} recipes; expected 1 to {MAX_RECIPES}.")
        return recipes

    def recipe_names(self) -> tuple[str, ...]:
        """The recipes in the order they were given, each once, its steps in their order."""
        return recipe_names(self.recipes)


def recipe_names(recipes: str) -> tuple[str, ...]:
    """Reads recipes from text.

    Args:
        recipes: Recipes separated by commas, or "auto".

    Raises:
        ValueError: If a step is not known, occurs twice, or does not go with another one.
    """
    if recipes.strip() == "auto":
        return DEFAULT_RECIPES
    names = [normal_recipe(recipe) for recipe in recipes.split(",") if recipe.strip()]
    return tuple(dict.fromkeys(names))


def normal_recipe(recipe: str) -> str:
    """A recipe with its steps in the order they are taken."""
    steps = [step.strip() for step in recipe.split("+")]
    for step in steps:
        if step not in COMPRESSION_STEPS:
            raise ValueError(str(UnknownName("step of compress", step, COMPRESSION_STEPS)))
        if steps.count(step) > 1:
            raise ValueError(f"{recipe.strip()!r} takes the step {step} twice; name it once.")
    last = [step for step in steps if step in LAST_STEPS]
    if len(last) > 1:
        raise ValueError(f"{recipe.strip()!r} writes the weights in two ways ({' and '.join(last)}); keep one of them.")
    return "+".join(sorted(steps, key=list(COMPRESSION_STEPS).index))
