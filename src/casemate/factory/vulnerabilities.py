"""Train `map cwe` and `map cvss`: the n-gram model, the doorkeeper, the encoder, and the tuning on held-out rows."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from casemate.factory import tune_cvss, tune_cwe
from casemate.factory.cwe_tree import view_targets
from casemate.factory.decontaminate import drop_leaks, read_tests
from casemate.factory.doorkeeper import train_domain
from casemate.factory.encoder import Classes, Recipe, train_encoder
from casemate.factory.export import export_encoder
from casemate.factory.ngrams import NgramRecipe, train_ngrams
from casemate.factory.rows import Row, Split, choose_vulnerabilities, read_vulnerabilities
from casemate.factory.tables import calibration_table, class_table, coverage_table
from casemate.factory.technique_rows import read_sentences
from casemate.factory.train import Job
from casemate.stages.classify.cwe_view import View
from casemate.stages.classify.encoder import Encoder, arrays_to_bytes
from casemate.stages.classify.ngrams import NgramModel
from casemate.stages.classify.weights import Weights, open_weights, seal_weights

LOG = logging.getLogger(__name__)
ABSTAIN_BELOW = 0.1
_SINCE = 2021


def train_cwe(job: Job) -> None:
    """Train what is not yet trained in the job's folder, tune `map cwe` and seal it."""
    split, chosen = _read(job)
    linear, encoder = _models(job, split, chosen)
    words = open_weights("ngrams", job.out).papers["cwe"]
    names = encoder.classes["cwe"] if encoder else tuple(words)
    classes = [name for name in names if name in set(words)]
    places = {
        "linear": [words.index(name) for name in classes],
        "encoder": [names.index(name) for name in classes],
    }
    targets = view_targets(classes, job.data / "knowledge" / "cwe")
    figures: dict[str, Any] = {}
    habits: dict[str, Any] = {}
    held = {"nvd": split.held["cwe-nvd"], "cna": split.held["cwe-cna"]}
    held["both"] = held["nvd"] + held["cna"]
    for habit, rows in held.items():
        seen = tune_cwe.Seen(rows, linear, encoder, places, View(targets) if habit == "nvd" else None)
        habits[habit] = tune_cwe.tune(seen, classes) | {"abstain_below": ABSTAIN_BELOW}
        figures[habit] = {"tuned": tune_cwe.measure(seen, habits[habit], classes)}
        figures[habit]["cross_fitted"] = tune_cwe.cross_fit(seen, classes)
        LOG.info("cwe %s: %s", habit, json.dumps(figures[habit]))
        _write_tables(job, habit, seen, habits[habit], classes)
    tuning = {"classes": classes, "habits": habits, "habit": "both", "view": targets} | {
        f"{model}_places": held_places for model, held_places in places.items()
    }
    (job.out / "cwe.json").write_text(json.dumps(tuning) + "\n", encoding="utf-8")
    _seal(job, "cwe", ["cwe.json"], figures)


def _write_tables(job: Job, habit: str, seen: tune_cwe.Seen, tuned: dict[str, Any], classes: Sequence[str]) -> None:
    """Leave the tables of the card for one habit in the job's folder."""
    scores, shown, _ = tune_cwe.apply(seen, tuned)
    answers = [classes[place] for place in scores.argmax(axis=1)]
    truths = [row.cwe for row in seen.rows]
    right = [answer == truth for answer, truth in zip(answers, truths, strict=True)]
    parts = [class_table(truths, answers), calibration_table(shown, right), coverage_table(shown, right)]
    (job.out / f"cwe-{habit}.tables.md").write_text("\n".join(parts), encoding="utf-8")


def train_cvss(job: Job) -> None:
    """Train what is not yet trained in the job's folder, tune `map cvss` and seal it."""
    split, chosen = _read(job)
    linear, encoder = _models(job, split, chosen)
    together = tune_cvss.count_together(split.train)
    habits, figures = {}, {}
    for habit, other in (("nvd", "cna"), ("cna", "nvd")):
        rows = split.held[f"cvss-{habit}"]
        logits = tune_cvss.logits_of(rows, linear, encoder, habit)
        habits[habit] = tune_cvss.tune(rows, logits, together)
        figures[habit] = {"tuned": tune_cvss.measure(rows, logits, together, habits[habit])}
        half = len(rows) // 2
        first = tune_cvss.tune(rows[:half], (logits[0][:half], logits[1][:half]), together)
        second = (logits[0][half:], logits[1][half:])
        figures[habit]["second_half"] = tune_cvss.measure(rows[half:], second, together, first)
        rows = split.held[f"cvss-{other}"]
        crossed = tune_cvss.logits_of(rows, linear, encoder, habit)
        figures[habit][f"rows of {other}"] = tune_cvss.measure(rows, crossed, together, habits[habit])
    LOG.info("cvss: %s", json.dumps(figures))
    (job.out / "cvss.json").write_text(json.dumps({"habits": habits}) + "\n", encoding="utf-8")
    (job.out / "cvss.npz").write_bytes(arrays_to_bytes({"together": together.astype(np.float16)}))
    _seal(job, "cvss", ["cvss.json", "cvss.npz"], figures)


def _read(job: Job) -> tuple[Split, list[Row]]:
    """Return the split, its rows to learn from without those of a test set, and the rows worth a step of training."""
    split = read_vulnerabilities(job.data / "cve")
    tests = job.data / "cti-bench-sample"
    if tests.is_dir():
        split.train = drop_leaks(split.train, read_tests(tests), job.out / "decontamination.json")
    return split, choose_vulnerabilities(split.train)


def _models(job: Job, split: Split, chosen: Sequence[Row]) -> tuple[NgramModel, Encoder | None]:
    """Return the shared models of the job's folder, trained first where they are not there; `steps=-1`: no encoder."""
    if not (job.out / "ngrams.manifest.json").exists():
        _train_first(job, split, chosen)
    if not (job.out / "encoder.manifest.json").exists() and job.steps >= 0:
        train_shared_encoder(job, split, chosen)
    shared: Weights = open_weights("ngrams", job.out)
    there = (job.out / "encoder.manifest.json").exists()
    return NgramModel.open(shared), Encoder.open(job.out, threads=2) if there else None


def _train_first(job: Job, split: Split, chosen: Sequence[Row]) -> None:
    classes = Classes.of(chosen, []).cwe
    if not (job.out / "ngrams.npz").exists():
        train_ngrams(chosen, classes, NgramRecipe(seed=job.seed), job.out)
    held = [row for rows in split.held.values() for row in rows]
    (job.out / "domain.npz").write_bytes(train_domain(chosen, job.data, held, job.seed))
    _seal(job, "ngrams", ["ngrams.npz", "domain.npz"], {"cwe": classes})


def train_shared_encoder(job: Job, split: Split, chosen: Sequence[Row]) -> None:
    """Train the encoder on recent rows and on technique sentences, export and seal it."""
    recent = [row for row in chosen if row.year >= _SINCE or (row.origin != "cna" and row.year >= 2017)]
    recent = [row for row in recent if row.weight >= 1]
    sentences = _read_sentences(job)
    recipe = Recipe(steps=job.steps or Recipe().steps, minutes=job.minutes, seed=job.seed)
    if not (job.out / "encoder.pt").exists():
        train_encoder(recent, sentences, recipe, job.out, split.held["cwe-nvd"])
    export_encoder(job.out, job.out)


def _read_sentences(job: Job) -> list[Row]:
    """Return the technique sentences to learn from, without those that are near one held out or one of a test set."""
    split = read_sentences(job.data / "techniques", job.data / "knowledge" / "attack")
    tests = [(f"held:{row.name}:{place}", row.text) for held in split.held.values() for place, row in enumerate(held)]
    if (job.data / "cti-bench-sample").is_dir():
        tests += read_tests(job.data / "cti-bench-sample")
    rows = [replace(row, name=f"{row.name}#{place}") for place, row in enumerate(split.train)]
    return drop_leaks(rows, tests, job.out / "encoder.decontamination.json")


def _seal(job: Job, name: str, files: list[str], figures: dict[str, Any]) -> None:
    """Write the manifest, with the digests of the data, the seed and the figures."""
    data = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((job.data / "cve").glob("*.gz"))
    }
    seal_weights(name, job.out, files, figures | {"seed": job.seed, "data": data})
