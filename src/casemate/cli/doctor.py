"""casemate doctor: what is installed, what is allowed, what would leave this machine."""

import argparse
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import parse_qs, urlsplit

from casemate import __version__
from casemate.cli.home import (
    add_store_option,
    home,
    knowledge_path,
    open_knowledge,
    open_policy,
    open_store_to_read,
    store_url,
)
from casemate.cli.terminal import visible
from casemate.core.errors import CasemateError
from casemate.policy import Policy

PARTS = {
    "hyperscan": "fast scanning (without it: the same answers, slower)",
    "evtx": "Windows event logs",
    "pypdf": "PDF",
    "xllamacpp": "the embedded language model (without it: --model none, or a server)",
    "zstandard": "zstd evidence and stored texts",
    "psycopg": "PostgreSQL (without it: SQLite)",
    "procrastinate": "the queue on PostgreSQL",
    "stix2": "STIX export",
    "pymisp": "MISP export",
}

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_store_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print what there is; 4 when the knowledge or a model is missing or altered."""
    policy = open_policy(arguments)
    print(f"casemate {__version__}, Python {platform.python_version()}, {os.cpu_count()} cores, {sys.platform}")
    print(f"data folder: {visible(str(home()))}")
    for name, purpose in PARTS.items():
        try:
            print(f"  {name} {version(name)}: {purpose}")
        except PackageNotFoundError:
            print(f"  {name} MISSING: {purpose}")
    _tell_store(arguments.store, policy)
    healthy = _tell_knowledge() & _tell_models(policy)
    print(f"policy {policy.digest[:16]}: engines {', '.join(policy.engines)}; marking {policy.default_marking.label}")
    print(f"  language-model servers may be asked on: {', '.join(policy.engine_hosts) or 'no host'}")
    for line in _leaving(policy, store_url(arguments.store)):
        print(f"what would leave this machine: {line}")
    return 0 if healthy else 4


def _leaving(policy: Policy, store: str) -> list[str]:
    outside = [host for host in policy.engine_hosts if host not in LOOPBACK]
    told = []
    if outside and "server" in policy.engines:
        told.append(f"prompts, to {', '.join(outside)}, when a model on one of them is asked")
    if policy.oidc.issuer:
        told.append(f"sign-ins, to {', '.join(policy.oidc.hosts)}")
    others = [host for host in policy.connector_hosts if host not in LOOPBACK]
    if others:
        told.append(f"closed cases and questions for alerts, to {', '.join(others)}, when a connector names it")
    if (server := _server_of(store)) is not None:
        told.append(f"all that is stored, to the database on {server}")
    return told or ["nothing"]


def _server_of(store: str) -> str | None:
    """Give the other host that a store is on; None for a file, a socket or this host."""
    parts = urlsplit(store)
    if not parts.scheme.startswith("postgresql"):
        return None
    host = parts.hostname or parse_qs(parts.query).get("host", [os.environ.get("PGHOST", "")])[0]
    return None if not host or host.startswith("/") or host in LOOPBACK else visible(host)


def _tell_store(named: str | None, policy: Policy) -> None:
    try:
        store = open_store_to_read(named, policy)
        if store is None:
            print("store: none yet")
            return
        with store:
            print(f"store: {visible(store.name)}: {store.count_cases():,} cases")
            if (behind := store.unwritten()) is not None:
                print(f"  {visible(behind.message)}; {visible(behind.way_out)}")
    except CasemateError as error:
        print(f"{visible(error.message)}; {visible(error.way_out)}")


def _tell_knowledge() -> bool:
    print(f"knowledge: {visible(str(knowledge_path()))}")
    try:
        with open_knowledge() as knowledge:
            for release in knowledge.releases():
                print(f"  {visible(release.name)} {visible(release.version)}: {release.entries:,} entries")
    except CasemateError as error:
        print(f"  {visible(error.message)}; {visible(error.way_out)}")
        return False
    return True


def _tell_models(policy: Policy) -> bool:
    from casemate.stages.generate.model_store import list_models, verify_model

    print("models:")
    healthy = True
    models = list_models(home())
    for model in models:
        try:
            verify_model(home(), model, policy)
            print(f"  {visible(model.name)}: sha256 {model.digest[:16]}, verified")
        except CasemateError as error:
            print(f"  {visible(model.name)}: {visible(error.message)}; {visible(error.way_out)}")
            healthy = False
    if models and healthy and "embedded" in policy.engines:
        healthy = _tell_engine(policy)
    if not models:
        print("  none: summaries are composed from the findings")
    return healthy


def _tell_engine(policy: Policy) -> bool:
    """Start the engine once and print how it closed itself off."""
    from casemate.stages.generate.choose import open_model
    from casemate.stages.generate.embedded import Embedded

    try:
        model = open_model(None, home(), policy)
        if isinstance(model, Embedded):
            with model:
                model.engine.start()
                print(f"  its process is closed off by: {model.engine.isolation}")
    except CasemateError as error:
        print(f"  the engine does not start: {visible(error.message)}; {visible(error.way_out)}")
        return False
    return True
