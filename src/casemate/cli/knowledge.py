"""casemate knowledge: build, import, look up and search the reference index."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from casemate.cli.home import knowledge_path, open_knowledge, open_policy
from casemate.cli.terminal import Progress, tell, visible
from casemate.core.errors import CasemateError
from casemate.core.passage import Entry, Release


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("build", help="build the default index from the installed data packages")
    importing = actions.add_parser(
        "import", help="import official files: ATT&CK, CAPEC, CWE, KEV, EPSS, NVD, CVE, MISP galaxies, warning lists"
    )
    importing.add_argument("files", nargs="+", metavar="FILE", help="recognised by content; gz, xz and zip are opened")
    importing.add_argument("--policy", metavar="FILE", help="policy in TOML")
    actions.add_parser("status", help="the imported releases, with digest and notice")
    searching = actions.add_parser("search", help="look up an id, a name or words")
    searching.add_argument("query", metavar="QUERY", nargs="+")
    searching.add_argument(
        "--kind", action="append", default=[], metavar="KIND", help="only this kind, such as technique"
    )
    searching.add_argument("--limit", type=int, default=10, metavar="N", help="at most so many passages (default: 10)")
    forgetting = actions.add_parser("forget", help="take one release out of the index")
    forgetting.add_argument("source", metavar="SOURCE", help="as `knowledge status` names it")


def run(arguments: argparse.Namespace) -> int:
    """Do what the action says."""
    return _ACTIONS[arguments.action](arguments)


def _build(_arguments: argparse.Namespace) -> int:
    from casemate.knowledge import build_default

    knowledge_path().parent.mkdir(parents=True, exist_ok=True)
    with Progress() as progress:
        releases = build_default(knowledge_path(), lambda what, _done, _total: progress(f"building: {what}"))
    _print(releases)
    return 0


def _import(arguments: argparse.Namespace) -> int:
    from casemate.knowledge import import_file

    limits = open_policy(arguments).limits
    knowledge_path().parent.mkdir(parents=True, exist_ok=True)
    failures: list[CasemateError] = []
    for name in arguments.files:
        try:
            with Progress() as progress:
                release = import_file(
                    knowledge_path(),
                    Path(name),
                    lambda what, _done, _total: progress(f"importing: {what}"),
                    limits=limits,
                )
        except CasemateError as error:
            failures.append(error)
        else:
            _print((release,))
    for failure in failures[:-1]:
        tell(f"casemate: {failure.message}")
    if failures:
        raise failures[-1]
    return 0


def _status(_arguments: argparse.Namespace) -> int:
    with open_knowledge() as knowledge:
        for source, release in knowledge.sources().items():
            print(f"{source}")
            _print((release,), indent="  ")
            if release.notice:
                print(f"    {release.notice}")
    return 0


def _print(releases: tuple[Release, ...], indent: str = "") -> None:
    for release in releases:
        when = f"{release.imported:%Y-%m-%d}"
        print(
            f"{indent}{visible(release.name)} {visible(release.version)}: {release.entries:,} entries, {when}, ", end=""
        )
        print(f"sha256 {release.digest[:16]}")


def _search(arguments: argparse.Namespace) -> int:
    query = " ".join(arguments.query)
    with open_knowledge() as knowledge:
        exact = knowledge.entry(query)
        entries = (exact,) if exact else knowledge.named(query)
        for entry in entries:
            _print_entry(entry)
        if exact:
            return 0
        for passage in knowledge.search(query, tuple(arguments.kind), arguments.limit):
            print(f"{passage.score:6.2f}  {passage.kind:15} {visible(passage.id)}  {visible(passage.title)}")
            print(f"        {visible(passage.quote)[:300]}")
    return 0


def _print_entry(entry: Entry) -> None:
    print(f"{visible(entry.id)}  {entry.kind}  {visible(entry.name)}  (release {entry.release[:12]})")
    if entry.state:
        print(f"  {entry.state}" + (f"; use {visible(entry.successor)}" if entry.successor else ""))
    if len(entry.names) > 1:
        print(f"  also: {visible(', '.join(entry.names[1:]))}")
    for name, value in entry.facts:
        print(f"  {name}: {visible(value)[:200]}")
    if entry.text:
        print(f"  {visible(entry.text)[:600]}")


def _forget(arguments: argparse.Namespace) -> int:
    from casemate.knowledge import forget

    forget(knowledge_path(), arguments.source)
    print(f"{visible(arguments.source)} is forgotten")
    return 0


_ACTIONS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "build": _build,
    "import": _import,
    "status": _status,
    "search": _search,
    "forget": _forget,
}
