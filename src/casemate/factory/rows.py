"""The prepared training rows, read from their files and split by what may be learned from.

Rows are chosen for what the specialists are asked: vulnerabilities of recent years, labelled
as NVD or the naming authority labels them. A part is held out by CVE id (and technique
sentences by report and by date of writing); nothing held out is ever trained on.
"""

import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from casemate.stages.classify.cvss_score import METRICS
from casemate.stages.classify.reading import tidy

SOURCES = ("nvd", "cna", "adp", "mitre", "old")
"""Whose habit of labelling a row follows; the heads learn a correction for each. NVD before 2017 is `old`."""

_SOURCE_OF = {"nvd": "nvd", "cna": "cna", "cna-name": "cna", "cisa-adp": "adp", "mitre": "mitre"}
_CATEGORIES = frozenset(
    {"CWE-264", "CWE-399", "CWE-310", "CWE-189", "CWE-255", "CWE-254"} | {"CWE-16", "CWE-17", "CWE-19", "CWE-1187"}
)
"""Old NVD labels that name a category: nobody assigns them today."""

_COMMON_OLD = frozenset({"CWE-119", "CWE-20", "CWE-200"})
_COMMON_NEW = frozenset({"CWE-79", "CWE-89", "CWE-352"})


@dataclass(frozen=True, slots=True)
class Row:
    """One text with what is known of it.

    Args:
        name: the CVE id, or a name of the sentence's origin.
        text: the text, tidied.
        origin: whose labels these are, one of `SOURCES`; of a technique's sentence, what it is about.
        year: of the CVE id or the creation, 0 where unknown.
        cwe: the weakness, "" where none is given.
        metrics: the eight base metrics as places in `METRICS`, empty where absent.
        metrics_origin: whose vector it is.
        techniques: ATT&CK technique ids, ("NONE",) for a sentence that shows none.
        weight: of its loss.
    """

    name: str
    text: str
    origin: str = ""
    year: int = 0
    cwe: str = ""
    metrics: tuple[int, ...] = ()
    metrics_origin: str = ""
    techniques: tuple[str, ...] = ()
    weight: float = 1.0


@dataclass(slots=True)
class Split:
    """Rows to learn from and rows held out, by set."""

    train: list[Row] = field(default_factory=list)
    held: dict[str, list[Row]] = field(default_factory=dict)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a (compressed) file of JSON lines."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def draw(name: str, salt: str = "") -> float:
    """Return a number in [0, 1) that depends on the name alone, so that a split never moves."""
    return int.from_bytes(hashlib.sha256(f"{salt}{name}".encode()).digest()[:6], "big") / 2**48


def metrics_of(vector: str | None) -> tuple[int, ...]:
    """Return the base metrics of a CVSS v3 vector as places in `METRICS`, or () where one is missing."""
    given = dict(part.split(":", 1) for part in (vector or "").split("/") if ":" in part)
    try:
        return tuple(METRICS[name].index(given[name]) for name in METRICS)
    except (KeyError, ValueError):
        return ()


def fold(text: str) -> str:
    """Return a text as letters and digits only, lower case, to compare texts by."""
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()


def read_vulnerabilities(folder: Path) -> Split:
    """Return the CVE rows under `folder` (`cve/` of the prepared data), split.

    Held out, by CVE id: "cwe-nvd" (three quarters of NVD's labels since 2023), "cwe-cna" (a third
    of the naming authorities' labels of the latest month), "cvss-nvd" (half of NVD's vectors since
    2023), "cvss-cna". A text equal to one held out is not trained on either.
    """
    rows = _merge(folder)
    split = Split(held={"cwe-nvd": [], "cwe-cna": [], "cvss-nvd": [], "cvss-cna": []})
    held_ids, held_texts = set(), set()
    for row, raw in rows:
        for name in _held_sets(row, raw):
            split.held[name].append(row)
            held_ids.add(row.name)
            held_texts.add(fold(row.text))
    for row, _ in rows:
        if row.name not in held_ids and fold(row.text) not in held_texts:
            split.train.append(row)
    return split


def _held_sets(row: Row, raw: dict[str, Any]) -> list[str]:
    """Return the held-out sets a row belongs to."""
    if not row.name.startswith("CVE-") or row.year < 2023:
        return []
    chance, names = draw(row.name), []
    source, published = raw.get("cwe_source"), raw.get("published") or ""
    if row.cwe and source == "nvd" and chance < 0.75:
        names.append("cwe-nvd")
    if row.cwe and source == "cna" and published >= "2026-08" and chance < 0.33:
        names.append("cwe-cna")
    if row.metrics and row.metrics_origin == "nvd" and chance < 0.5:
        names.append("cvss-nvd")
    if row.metrics and row.metrics_origin == "cna" and "cwe-cna" in names:
        names.append("cvss-cna")
    return names


def _merge(folder: Path) -> list[tuple[Row, dict[str, Any]]]:
    """Return every row of the five files once, the vectors of `cve_cvss_train` joined by CVE id."""
    vectors = {
        raw["cve"]: raw
        for raw in read_lines(folder / "cve_cvss_train.jsonl.gz")
        if not raw.get("leak") and raw.get("cve")
    }
    merged = []
    seen = set()
    for raw in read_lines(folder / "cve_cwe_train.jsonl.gz"):
        seen.add(raw["cve"])
        better = vectors.get(raw["cve"], raw)
        merged.append((_row(raw, better if better.get("cvss_v3") else raw), raw))
    for name, raw in vectors.items():
        if name not in seen:
            merged.append((_row(raw | {"cwe_primary": ""}, raw), raw))
    for file, source in (
        ("nvd2021_extra", "nvd"),
        ("mitre_top25_2023", "mitre"),
        ("cwe_observed_examples", "mitre"),
    ):
        for place, raw in enumerate(read_lines(folder / f"{file}.jsonl.gz")):
            if not raw["in_cve_cwe_train"]:
                primary = raw.get("cwe_primary") or raw["cwe"][0]
                full = raw | {"cwe_primary": primary, "cwe_source": source}
                merged.append((_row(full, {}, raw["cve"] or f"{file}:{place}"), full))
    return merged


def _row(raw: dict[str, Any], vector: dict[str, Any], name: str = "") -> Row:
    name = name or raw["cve"]
    year = int(name[4:8]) if name.startswith("CVE-") else 2021
    metrics = metrics_of(vector.get("cvss_v3"))
    return Row(
        name=name,
        text=tidy(raw["description"]),
        origin=_SOURCE_OF.get(raw.get("cwe_source") or "", "cna"),
        year=year,
        cwe=raw.get("cwe_primary") or "",
        metrics=metrics,
        metrics_origin=_SOURCE_OF.get(vector.get("cvss_v3_source") or "", "cna") if metrics else "",
        weight=0.5 if raw.get("cwe_source") == "cna-name" else 1.0,
    )


def choose_vulnerabilities(rows: Iterable[Row], *, thin_common: bool = True) -> list[Row]:
    """Return the rows worth a step of training: recent ones, and of the old ones what is still assigned today.

    With `thin_common`, the commonest classes of the naming authorities are halved and weighed double.
    """
    chosen = []
    for row in rows:
        chance, weight = draw(row.name, "choose"), row.weight
        if row.cwe in _CATEGORIES and not row.metrics:
            continue
        if row.cwe in _CATEGORIES:
            chosen.append(_without_cwe(row))
            continue
        if row.cwe and row.origin == "nvd" and row.year < 2017:
            keep = 0.12 if row.cwe in _COMMON_OLD else 0.5
            if chance > keep:
                continue
            row = replace(row, origin="old")  # noqa: PLW2901  the same row, known for its age
        elif row.cwe and row.origin == "nvd":
            weight *= 2.0
        elif weight < 1.0 and row.year < 2025:
            continue
        elif thin_common and row.cwe in _COMMON_NEW and row.origin == "cna":
            if chance > 0.5:
                continue
            weight *= 2.0
        chosen.append(_weighed(row, weight))
    return chosen


def _without_cwe(row: Row) -> Row:
    return replace(row, cwe="")


def _weighed(row: Row, weight: float) -> Row:
    return row if weight == row.weight else replace(row, weight=weight)
