"""Recipes: what a fine-tune is made of, as one TOML file that can be read, compared and kept beside its result."""

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError

from casemate.core.digest import Digest, digest_value
from casemate.core.errors import WrongUsage

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The seven projections of a Llama-like block, all of which an adapter may change."""


@dataclass(frozen=True, slots=True)
class BaseModel:
    """What is fine-tuned: `model` is a stored model's name, a GGUF file or a folder that transformers reads.

    `turns` names the turn format of `stages/generate/chat_templates.py` that the product writes for this model.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    model: str
    turns: str
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Lora:
    """The adapter: rank, scale (`alpha` / `rank`), dropout and the projections it changes."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    rank: int
    alpha: int
    dropout: float = 0.0
    targets: tuple[str, ...] = PROJECTIONS


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast: `batch` rows make a step, `micro_batch` of them fit the memory at a time.

    `warmup` is the share of the steps in which the rate rises to `learning_rate`; it falls as a cosine after that.
    `length` is in tokens; a longer row is left out, never cut. `precision` is `bf16` or `fp32`.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    learning_rate: float
    batch: int
    micro_batch: int
    epochs: float
    length: int
    warmup: float = 0.05
    weight_decay: float = 0.01
    precision: str = "bf16"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole recipe; `lessons` says how many rows of each task the corpus holds, and `held` how many are kept back."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    base: BaseModel
    lora: Lora
    train: Schedule
    lessons: Mapping[str, int]
    held: Mapping[str, int] = field(default_factory=dict)
    seed: int = 42

    @property
    def digest(self) -> Digest:
        """Name this recipe by its content."""
        return digest_value(dataclasses.asdict(self))


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; `WrongUsage` names the file and the setting that is wrong."""
    try:
        recipe = TypeAdapter(Recipe).validate_python(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise WrongUsage(f"recipe {path}: {error.strerror}", way_out="name a file of recipes/: --recipe") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongUsage(f"recipe {path}: not TOML: {error}", way_out="mend the line it names") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise WrongUsage(f"recipe {path}: {where}: {first['msg']}", way_out="see docs/factory.md") from error
    _check(recipe, path)
    return recipe


def _check(recipe: Recipe, path: Path) -> None:
    wrong = {
        "lora.rank must be above zero": recipe.lora.rank <= 0,
        f"lora.targets must be some of {', '.join(PROJECTIONS)}": not set(recipe.lora.targets) <= set(PROJECTIONS)
        or not recipe.lora.targets,
        "train.batch must be a multiple of train.micro_batch": recipe.train.micro_batch <= 0
        or recipe.train.batch <= 0
        or recipe.train.batch % recipe.train.micro_batch != 0,
        "train.precision must be bf16 or fp32": recipe.train.precision not in ("bf16", "fp32"),
        "train.length, epochs and learning_rate must be above zero": min(
            recipe.train.length, recipe.train.epochs, recipe.train.learning_rate
        )
        <= 0,
    }
    for message, found in wrong.items():
        if found:
            raise WrongUsage(f"recipe {path}: {message}", way_out="see docs/factory.md")
