"""Sentences that show an ATT&CK technique, read from their files and split by report and by date."""

import gzip
import json
import re
from pathlib import Path

from casemate.factory.rows import Row, Split, draw, fold, read_lines
from casemate.stages.classify.reading import tidy

NO_TECHNIQUE = "NONE"
_HELD_SINCE = "2024-09"
_HELD_REPORTS = 0.2


def read_sentences(techniques: Path, attack: Path | None = None) -> Split:
    """Return the technique sentences, split.

    Held out: "procedures" (written since September 2024) and "tram" (every sentence of a fifth of
    the reports). A sentence equal to one held out is dropped wherever it stands.

    Args:
        techniques: the folder `techniques/` of the prepared data.
        attack: the folder with the ATT&CK bundles; where given, the techniques' own descriptions are learned too.
    """
    split = Split(held={"procedures": [], "tram": []})
    rows: list[Row] = []
    for file in ("procedures_enterprise_train", "procedures_mobile_train", "procedures_ics-attack"):
        for raw in read_lines(techniques / f"{file}.jsonl.gz"):
            row = _sentence(raw["rel"], raw["text"], (raw["technique"],), raw["created"], raw["source"])
            held = raw["created"] >= _HELD_SINCE and "enterprise" in file
            (split.held["procedures"] if held else rows).append(row)
    for raw in read_lines(techniques / "tram2_docs_train.jsonl.gz"):
        row = _sentence(raw["doc_title"], raw["text"], (raw["label"],))
        (split.held["tram"] if draw(raw["doc_title"]) < _HELD_REPORTS else rows).append(row)
    rows += [
        _sentence("tram", raw["text"], tuple(raw["labels"]) or (NO_TECHNIQUE,))
        for raw in read_lines(techniques / "tram_bootstrap.jsonl.gz")
    ]
    rows += _negatives(techniques / "tram_negative.json.gz")
    if attack is not None:
        rows += _descriptions(attack)
    held_texts = {fold(row.text) for held in split.held.values() for row in held}
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for row in rows:
        key = (fold(row.text), row.techniques)
        if key[0] and key[0] not in held_texts and key not in seen:
            seen.add(key)
            split.train.append(row)
    return split


def _sentence(name: str, text: str, techniques: tuple[str, ...], created: str = "", about: str = "") -> Row:
    return Row(name=name, text=tidy(text), origin=about, techniques=techniques, year=int(created[:4] or 0))


def _negatives(path: Path) -> list[Row]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        texts = json.load(file)
    wanted = (text for text in texts if len(text.split()) >= 4)
    return [_sentence("tram-negative", text, (NO_TECHNIQUE,)) for text in wanted if draw(text) < 0.6]


def _descriptions(attack: Path) -> list[Row]:
    """Return the first sentences of each technique's description, with its name before them."""
    rows = []
    for path in (attack / f"{domain}-attack.json.gz" for domain in ("enterprise", "ics", "mobile")):
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8") as file:
            bundle = json.load(file)
        for thing in bundle.get("objects", ()):
            if thing.get("type") != "attack-pattern" or thing.get("revoked") or thing.get("x_mitre_deprecated"):
                continue
            ids = [
                r["external_id"] for r in thing["external_references"] if r.get("source_name", "").startswith("mitre-")
            ]
            plain = re.sub(r"\(Citation:[^)]*\)|\[([^\]]*)\]\([^)]*\)|</?code>", r"\1", thing.get("description", ""))
            sentences = re.split(r"(?<=[.!?])\s+", plain)
            for start in (0, 2):
                text = " ".join(sentences[start : start + 2])
                if ids and len(text) > 40:
                    rows.append(_sentence(thing["id"], f"{thing['name']}. {text}" if not start else text, (ids[0],)))
    return rows
