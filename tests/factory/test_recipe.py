from pathlib import Path

import pytest

from casemate.core.errors import WrongUsage
from casemate.factory.recipe import load_recipe
from casemate.stages.generate.chat_templates import TURNS

ROOT = Path(__file__).resolve().parents[2]
GOOD = """
name = "x"
[base]
model = "m"
turns = "chatml"
[lora]
rank = 4
alpha = 8
[train]
learning_rate = 1e-4
batch = 4
micro_batch = 2
epochs = 1
length = 100
[lessons]
summary = 1
"""


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda path: path.stem)
def test_a_recipe_of_the_project_can_be_read(path: Path) -> None:
    if "[floors" in path.read_text("utf-8"):
        return  # the gate's, read by its own tests
    recipe = load_recipe(path)
    assert recipe.base.turns in TURNS
    assert set(recipe.held) <= set(recipe.lessons)


def test_the_published_recipe_is_as_published() -> None:
    recipe = load_recipe(ROOT / "recipes" / "cybersecqwen-4b.toml")
    assert (recipe.lora.rank, recipe.lora.alpha, recipe.lora.dropout, len(recipe.lora.targets)) == (64, 64, 0.05, 7)
    train = recipe.train
    assert (train.learning_rate, train.warmup, train.weight_decay) == (5e-5, 0.05, 0.01)
    assert (train.batch, train.epochs, train.length, train.precision, recipe.seed) == (16, 10, 4096, "bf16", 42)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("rank = 4", "rank = 0", "rank"),
        ("batch = 4", "batch = 5", "micro_batch"),
        ("rank = 4", 'rank = 4\ntargets = ["lm_head"]', "targets"),
        ("length = 100", 'length = 100\nprecision = "int3"', "precision"),
        ('name = "x"', 'name = "x"\nnoise = 1', "noise"),
        ("[lora]", "[lora", "TOML"),
    ],
)
def test_what_is_wrong_in_a_recipe_is_named(tmp_path: Path, old: str, new: str, told: str) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(GOOD, "utf-8")
    load_recipe(file)
    file.write_text(GOOD.replace(old, new, 1), "utf-8")
    with pytest.raises(WrongUsage, match=told):
        load_recipe(file)


def test_a_recipe_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="absent"):
        load_recipe(tmp_path / "absent.toml")
