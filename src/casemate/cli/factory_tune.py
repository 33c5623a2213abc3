"""casemate factory corpus|sft|evaluate: from data to a fine-tuned adapter, and what it is worth."""

import argparse
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from casemate.cli.home import home, open_knowledge, open_language_model, open_policy, open_store
from casemate.cli.terminal import Progress
from casemate.core.errors import WrongUsage

if TYPE_CHECKING:
    from casemate.bench.injection import Ground
    from casemate.bench.injection_sets import Attack
    from casemate.factory.recipe import Recipe
    from casemate.knowledge import Knowledge
    from casemate.policy import Policy
    from casemate.stages.generate import Model


def configure(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verbs."""
    corpus = verbs.add_parser("corpus", help="make the lessons of a recipe, without what a benchmark has")
    corpus.add_argument("--recipe", required=True, metavar="FILE", help="a recipe of recipes/, TOML")
    corpus.add_argument("--data", required=True, metavar="FOLDER", help="the prepared data")
    corpus.add_argument("--out", required=True, metavar="FOLDER", help="where the corpus goes")
    corpus.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="PATH",
        help="a benchmark to keep out: a TSV, CSV or JSON lines file, or a folder of them; again for each",
    )
    corpus.add_argument(
        "--reviewed", metavar="URL", help="learn from the reviewed cases of this store too, if the policy consents"
    )
    corpus.add_argument("--policy", metavar="FILE", help="policy in TOML (default: $CASEMATE_POLICY, else built in)")
    sft = verbs.add_parser("sft", help="fine-tune a LoRA adapter over the weights the product runs")
    sft.add_argument("--recipe", required=True, metavar="FILE", help="a recipe of recipes/, TOML")
    sft.add_argument("--corpus", required=True, metavar="FOLDER", help="what `factory corpus` left")
    sft.add_argument("--out", required=True, metavar="FOLDER", help="where checkpoints and the adapter go")
    sft.add_argument("--base", metavar="PATH", help="a GGUF or a folder (default: the recipe's stored model)")
    sft.add_argument("--minutes", type=float, default=0.0, metavar="M", help="end the schedule after so long")
    sft.add_argument("--steps", type=int, default=0, metavar="N", help="end it after so many steps")
    sft.add_argument("--resume", action="store_true", help="go on from the newest checkpoint")
    exam = verbs.add_parser("evaluate", help="measure a model, and its adapters beside it")
    exam.add_argument("--model", metavar="NAME", help="a stored model, or server:URL#NAME")
    exam.add_argument(
        "--weights", metavar="PATH", help="instead: a GGUF or a folder that transformers reads, in batches"
    )
    exam.add_argument(
        "--turns", default="smollm2", metavar="NAME", help="how --weights writes turns (default: smollm2)"
    )
    exam.add_argument("--tuned", metavar="FOLDER", help="the adapter folder that sft left, beside --weights")
    exam.add_argument("--adapter", action="append", default=[], metavar="NAME", help="a stored adapter; again for each")
    exam.add_argument("--corpus", metavar="FOLDER", help="ask the held-out lessons of this corpus")
    exam.add_argument("--cti-bench", metavar="FOLDER", help="ask the tables of CTI-Bench in this folder")
    exam.add_argument("--injections", metavar="FOLDER", help="plant the attacks of this folder in evidence")
    exam.add_argument("--examples", default="examples", metavar="FOLDER", help="that evidence (default: examples)")
    exam.add_argument("--attacks", type=int, default=20, metavar="N", help="a sample of them (default: 20)")
    exam.add_argument("--trials", type=int, default=5, metavar="N", help="of each question of CTI-Bench (default: 5)")
    exam.add_argument("--limit", type=int, default=0, metavar="N", help="rows of each table and task (default: all)")
    exam.add_argument("--max-tokens", type=int, default=512, metavar="N", help="of a reply to CTI-Bench (default: 512)")
    exam.add_argument(
        "--out", required=True, metavar="FILE", help="the report, JSON; a table in Markdown is put beside"
    )
    exam.add_argument("--policy", metavar="FILE", help="policy in TOML (default: $CASEMATE_POLICY, else built in)")


@contextmanager
def _logged(out: Path, name: str) -> Iterator[None]:
    """Show what the factory logs on standard error, and keep it in a file."""
    out.mkdir(parents=True, exist_ok=True)
    form = logging.Formatter("%(asctime)s %(message)s")
    handlers = (logging.StreamHandler(sys.stderr), logging.FileHandler(out / name, encoding="utf-8"))
    root = logging.getLogger("casemate.factory")
    root.setLevel(logging.INFO)
    for handler in handlers:
        handler.setFormatter(form)
        root.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()


def _corpus(arguments: argparse.Namespace) -> int:
    from contextlib import ExitStack

    from casemate.factory.corpus import CorpusJob, make_corpus
    from casemate.factory.recipe import load_recipe

    data, out = Path(arguments.data), Path(arguments.out)
    if not data.is_dir():
        raise WrongUsage(f"{data} is no folder", way_out="name the folder with the prepared data: --data FOLDER")
    policy = open_policy(arguments)
    against = tuple(Path(path) for path in arguments.against)
    with ExitStack() as stack:
        stack.enter_context(_logged(out, "corpus.log"))
        knowledge: Knowledge = stack.enter_context(open_knowledge())
        store = stack.enter_context(open_store(arguments.reviewed, policy)) if arguments.reviewed else None
        job = CorpusJob(load_recipe(Path(arguments.recipe)), data, out, against, knowledge, policy, store)
        try:
            print(make_corpus(job))
        except FileNotFoundError as error:
            raise WrongUsage(f"{error.filename} is missing", way_out="see docs/factory.md for the files") from error
    return 0


def _base_of(arguments: argparse.Namespace, recipe: "Recipe") -> Path:
    if arguments.base:
        return Path(arguments.base)
    from casemate.stages.generate.model_store import find_model, model_path

    return model_path(home(), find_model(home(), recipe.base.model))


def _sft(arguments: argparse.Namespace) -> int:
    from casemate.factory.recipe import load_recipe
    from casemate.factory.sft import SftJob, train_adapter

    recipe, out = load_recipe(Path(arguments.recipe)), Path(arguments.out)
    job = SftJob(
        recipe,
        Path(arguments.corpus),
        _base_of(arguments, recipe),
        out,
        arguments.minutes,
        arguments.steps,
        arguments.resume,
    )
    with _logged(out, "sft.log"):
        print(train_adapter(job))
    return 0


def _digests(named: str) -> dict[str, str]:
    """Name the files of a stored model and its adapters by their digests; those of a server cannot be known."""
    from casemate.stages.generate.model_store import find_model, list_adapters

    if named.startswith(("server:", "scripted:")):
        return {}
    base = find_model(home(), named)
    beside = {f"{base.name}+{adapter.name}": str(adapter.digest) for adapter in list_adapters(home(), base)}
    return {base.name: str(base.digest), **beside}


@contextmanager
def _examined(arguments: argparse.Namespace, policy: "Policy") -> "Iterator[tuple[Model, Sequence[str]]]":
    """Open what is measured, and name its adapters."""
    if bool(arguments.model) == bool(arguments.weights):
        raise WrongUsage("there is not exactly one model to evaluate", way_out="name --model NAME or --weights PATH")
    if arguments.weights:
        from casemate.factory.weights import Weights

        tuned = Path(arguments.tuned) if arguments.tuned else None
        weights = Weights(Path(arguments.weights), arguments.turns, tuned)
        yield weights, weights.adapters
        return
    with open_language_model(arguments.model, policy) as model:
        if model is None:
            raise WrongUsage("there is no model to evaluate", way_out="name one: --model NAME")
        yield model, arguments.adapter


def _hostile(
    arguments: argparse.Namespace, policy: "Policy", knowledge: "Knowledge"
) -> "tuple[tuple[Attack, ...], Ground | None]":
    """Draw attacks, and open what they are planted in."""
    if not arguments.injections:
        return (), None
    from casemate.bench.injection import read_ground
    from casemate.bench.injection_sets import read_attacks, sample_attacks
    from casemate.cli.home import cache_folder
    from casemate.pipeline.tools import Tools
    from casemate.stages.extract.scanner import Scanner

    if arguments.attacks < 1:
        raise WrongUsage("--attacks must be 1 or more", way_out="name another number")
    tools = Tools(policy, knowledge, Scanner(cache=cache_folder()))
    drawn = sample_attacks(read_attacks(Path(arguments.injections)), arguments.attacks, 0)
    return tuple(drawn), read_ground(tools, Path(arguments.examples), prompt_tokens=1_200)


def _evaluate(arguments: argparse.Namespace) -> int:
    from casemate.bench.cti_model import Protocol
    from casemate.factory.evaluate import Exam, evaluate
    from casemate.factory.records import write_records

    policy = open_policy(arguments)
    tables = Path(arguments.cti_bench) if arguments.cti_bench else None
    corpus = Path(arguments.corpus) if arguments.corpus else None
    protocol = Protocol(trials=arguments.trials, max_tokens=arguments.max_tokens)
    out = Path(arguments.out)
    with open_knowledge() as knowledge, _examined(arguments, policy) as (model, adapters), Progress() as progress:
        attacks, ground = _hostile(arguments, policy, knowledge)
        exam = Exam(
            out,
            corpus,
            tables,
            protocol=protocol,
            limit=arguments.limit,
            knowledge=knowledge,
            attacks=attacks,
            ground=ground,
        )
        report = evaluate(exam, model, adapters, progress)
    write_records(out, report, _digests(arguments.model) if arguments.model else {})
    print(out.with_suffix(".md").read_text("utf-8"), end="")
    return 0


_VERBS: Mapping[str, Callable[[argparse.Namespace], int]] = {"corpus": _corpus, "sft": _sft, "evaluate": _evaluate}


def run(arguments: argparse.Namespace) -> int | None:
    """Do what the verb says; None for a verb of others."""
    if arguments.verb not in _VERBS:
        return None
    try:
        return _VERBS[arguments.verb](arguments)
    except ModuleNotFoundError as error:
        raise WrongUsage(
            f"the factory needs the package {error.name}",
            way_out="install the train extra: pip install casemate[train]",
        ) from error
