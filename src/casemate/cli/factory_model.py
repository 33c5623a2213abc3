"""casemate factory convert|quantise|gate|package|key: from trained weights to a signed bundle."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from casemate.cli.terminal import visible
from casemate.core.errors import NotTrusted, WrongUsage


def configure(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verbs."""
    convert = verbs.add_parser("convert", help="write a LoRA adapter, a merged or a published model as GGUF")
    convert.add_argument("folder", metavar="FOLDER", help="a PEFT adapter, a merged model, or a model as published")
    convert.add_argument(
        "--base", metavar="FILE", help="the GGUF of the model it was trained from (a Llama or Qwen3 needs none)"
    )
    convert.add_argument("--kind", default="F16", choices=("F16", "F32", "BF16"), help="default: F16")
    convert.add_argument("--name", default="", metavar="NAME", help="what the header calls it")
    quantise = verbs.add_parser("quantise", help="make a GGUF smaller, and measure the error")
    quantise.add_argument("file", metavar="FILE", help="a GGUF in F32, F16 or BF16")
    quantise.add_argument(
        "--kind", required=True, metavar="KIND", help="Q8_0, Q5_1, Q5_0, Q4_1, Q4_0, F16, BF16 or F32"
    )
    gate = verbs.add_parser("gate", help="hold an evaluation against that of the parent")
    package = verbs.add_parser("package", help="judge, gather and sign a build: one file to carry over")
    package.add_argument("weights", metavar="WEIGHTS", help="the GGUF of a model or an adapter")
    package.add_argument("--base", metavar="FILE", help="the GGUF an adapter is for")
    package.add_argument("--name", required=True, metavar="NAME", help="lower-case letters, digits, . _ -")
    package.add_argument("--release", required=True, metavar="VERSION", help="numbers with dots, such as 1.0.2")
    package.add_argument("--key", required=True, metavar="FILE", help="the private key that signs")
    package.add_argument("--licence", required=True, metavar="FILE", help="the licence's text")
    package.add_argument("--licence-name", default="", metavar="NAME", help="SPDX (default: what the header says)")
    package.add_argument("--card", required=True, metavar="FILE", help="the model card")
    package.add_argument("--thresholds", metavar="FILE", help="thresholds that belong to it, JSON")
    package.add_argument("--task", action="append", default=[], metavar="TASK", help="that may use it (default: all)")
    package.add_argument("--dataset", action="append", default=[], metavar="NAME", help="what it was trained on")
    package.add_argument("--turns", default="", metavar="NAME", help="how turns are written")
    package.add_argument(
        "--allow-template", default="", metavar="DIGEST", help="the chat template was read and is sound"
    )
    package.add_argument("--ungated", default="", metavar="REASON", help="leave the gate out; the bundle says why")
    for parser, required in ((gate, True), (package, False)):
        parser.add_argument("--evaluation", required=required, metavar="FILE", help="the build's evaluation record")
        parser.add_argument("--parent-evaluation", required=required, metavar="FILE", help="that of its parent")
        parser.add_argument("--gate", required=required, metavar="FILE", help="the recipe with the floors, TOML")
    for parser in (convert, quantise, package):
        parser.add_argument("--out", required=True, metavar="FILE", help="the file to write")
    key = verbs.add_parser("key", help="make a key pair for signing bundles")
    key.add_argument("--out", required=True, metavar="FILE", help="the private key; the public one is FILE.pub")


def _convert(arguments: argparse.Namespace) -> int:
    from casemate.factory.convert import convert_adapter, convert_model
    from casemate.factory.hugging_face import convert_folder

    folder = Path(arguments.folder)
    if not arguments.base:
        if (folder / "adapter_config.json").is_file():
            raise WrongUsage(f"{folder}: an adapter is for a base", way_out="name its GGUF with --base FILE.gguf")
        print(convert_folder(folder, Path(arguments.out), kind=arguments.kind, name=arguments.name))
        return 0
    make = convert_adapter if (folder / "adapter_config.json").is_file() else convert_model
    print(make(folder, Path(arguments.base), Path(arguments.out), kind=arguments.kind, name=arguments.name))
    return 0


def _quantise(arguments: argparse.Namespace) -> int:
    from casemate.factory.quantise import quantise

    done = quantise(Path(arguments.file), arguments.kind, Path(arguments.out))
    print(f"{done.file}: {done.bytes_after:,} bytes of {done.bytes_before:,}; relative error {done.error:.5f}")
    print(f"worst: {visible(done.worst_tensor)} {done.worst_error:.5f}")
    return 0


def _gate(arguments: argparse.Namespace) -> int:
    from casemate.factory.gate import judge, read_evaluation, read_floors

    build, parent = read_evaluation(Path(arguments.evaluation)), read_evaluation(Path(arguments.parent_evaluation))
    verdict = judge(read_floors(Path(arguments.gate)), build.tasks, parent.tasks)
    for task in verdict.tasks:
        print(visible(str(task)))
    if verdict.refused:
        raise NotTrusted(
            f"{len(verdict.refused)} of {len(verdict.tasks)} tasks hold this build back",
            way_out="train it better, or quantise it less",
        )
    return 0


def _package(arguments: argparse.Namespace) -> int:
    from casemate.factory.package import Package, package

    done = package(
        Package(
            weights=Path(arguments.weights),
            out=Path(arguments.out),
            key=Path(arguments.key),
            name=arguments.name,
            version=arguments.release,
            licence=Path(arguments.licence),
            card=Path(arguments.card),
            licence_name=arguments.licence_name,
            base=_path(arguments.base),
            evaluation=_path(arguments.evaluation),
            parent=_path(arguments.parent_evaluation),
            recipe=_path(arguments.gate),
            ungated=arguments.ungated,
            thresholds=_path(arguments.thresholds),
            turns=arguments.turns,
            allow_template=arguments.allow_template,
            tasks=tuple(arguments.task),
            datasets=tuple(arguments.dataset),
        )
    )
    for task in done.verdict.tasks if done.verdict else ():
        print(visible(str(task)))
    print(f"{arguments.out}: {done.manifest.title}, {len(done.manifest.files)} files, {done.manifest.licence}")
    return 0


def _key(arguments: argparse.Namespace) -> int:
    from casemate.bundle.signature import make_key

    private = Path(arguments.out)
    written = make_key(private, private.with_name(private.name + ".pub"))
    print(f'trusted_keys = ["{written}"]')
    return 0


def _path(named: str | None) -> Path | None:
    return Path(named) if named else None


_VERBS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "convert": _convert,
    "quantise": _quantise,
    "gate": _gate,
    "package": _package,
    "key": _key,
}


def run(arguments: argparse.Namespace) -> int | None:
    """Do what the verb says; None for a verb of others."""
    if arguments.verb not in _VERBS:
        return None
    try:
        return _VERBS[arguments.verb](arguments)
    except ModuleNotFoundError as error:
        raise WrongUsage(f"the factory needs the package {error.name}", way_out="pip install gguf") from error
