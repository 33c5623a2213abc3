"""More texts that show a technique: command lines of tests, detection rules, and mentions in annotated reports."""

import io
import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from casemate.factory.rows import Row, read_lines
from casemate.stages.classify.reading import tidy

_LINK = re.compile(r"/techniques/(T\d{4})(?:/(\d{3}))?")
_TAG = re.compile(r"^attack\.(t\d{4}(?:\.\d{3})?)$", re.IGNORECASE)
_PLACE = re.compile(r"#\{([^}]*)\}")


def _documents(archive: Path, inside: str) -> Iterator[Any]:
    """Yield the YAML documents of an archive whose path matches `inside`."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with tarfile.open(archive) as opened:
        for member in opened:
            if member.isfile() and re.search(inside, member.name):
                data = opened.extractfile(member)
                assert data is not None
                try:
                    yield yaml.load(io.BytesIO(data.read()), Loader=loader)  # noqa: S506 - a safe loader, named above
                except yaml.YAMLError:
                    continue


def read_commands(logs: Path) -> list[Row]:
    """Return the command lines of Atomic Red Team, placeholders filled with their defaults, and what each test does."""
    rows = []
    for document in _documents(logs / "atomic_red_team_yaml_mit.tar.gz", r"T\d{4}[^/]*\.yaml$"):
        technique = document.get("attack_technique", "")
        for test in document.get("atomic_tests") or ():
            executor = test.get("executor") or {}
            given = {
                name: str((spec or {}).get("default", "")) for name, spec in (test.get("input_arguments") or {}).items()
            }
            command = _fill(str(executor.get("command") or ""), given)
            for text in (command[:1000], f"{test.get('name', '')}. {test.get('description', '')}"[:400]):
                if len(text) > 15:
                    name = f"atomic:{test.get('auto_generated_guid', '')}"
                    rows.append(Row(name=name, text=tidy(text), techniques=(technique,)))
    return rows


def _fill(command: str, given: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda found: given.get(found[1], found[1]), command)


def read_rules(logs: Path) -> list[Row]:
    """Return what Sigma and Splunk detections say they see, with the techniques they are tagged with."""
    rows = []
    for document in _documents(logs / "sigma_rules.tar.gz", r"\.yml$"):
        if isinstance(document, dict):
            tags = [found[1].upper() for tag in document.get("tags") or () if (found := _TAG.match(str(tag)))]
            rows += _rule(f"sigma:{document.get('id', '')}", document.get("title"), document.get("description"), tags)
    for document in _documents(logs / "splunk_security_content_apache2.tar.gz", r"^detections/.*\.yml$"):
        if isinstance(document, dict):
            named = (document.get("tags") or {}).get("mitre_attack_id") or ()
            rows += _rule(f"splunk:{document.get('id', '')}", document.get("name"), document.get("description"), named)
    return rows


def _rule(name: str, title: Any, description: Any, techniques: Any) -> list[Row]:
    if not techniques or not title:
        return []
    first = " ".join(re.split(r"(?<=[.!?])\s+", str(description or ""))[:2])[:400]
    texts = [str(title)] + ([first] if len(first) > 30 else [])
    return [Row(name=name, text=tidy(text), techniques=tuple(map(str, techniques))) for text in texts]


def read_mentions(techniques: Path, split: str) -> list[Row]:
    """Return sentences of AnnoCTR's reports that mention techniques, `split` being `train` or `dev`."""
    shown: dict[tuple[str, str], set[str]] = {}
    for raw in read_lines(techniques / "annoctr" / "linking_mitre.jsonl.gz"):
        found = _LINK.search(raw.get("label_link") or "")
        if raw.get("entity_type") == "TECHNIQUE" and found and raw["split"].startswith(split):
            text = tidy(raw["_context_left"] + raw["mention"] + raw["_context_right"])
            technique = found[1] + (f".{found[2]}" if found[2] else "")
            shown.setdefault((raw["document"], text), set()).add(technique)
    return [
        Row(name=f"annoctr:{name}", text=text, techniques=tuple(sorted(ids))) for (name, text), ids in shown.items()
    ]
