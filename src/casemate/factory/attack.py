"""Train the specialist for ATT&CK techniques: rows, linear model, calibration, thresholds, papers."""

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from casemate.bench.cti import calibration_error
from casemate.bench.cti_ate import techniques_of_description
from casemate.core.digest import Digest
from casemate.factory.attack_rows import read_commands, read_mentions, read_rules
from casemate.factory.calibrate import fit_curve
from casemate.factory.decontaminate import drop_leaks, read_tests
from casemate.factory.linear import LinearRecipe, count_features, cut, save, train_softmax
from casemate.factory.rows import Row, Split, draw
from casemate.factory.technique_rows import read_sentences
from casemate.factory.train import Job
from casemate.stages.classify.answer import log_softmax
from casemate.stages.classify.attack import NONE, SHOWN, TechniqueSpecialist, mix, parent_of, spread
from casemate.stages.classify.encoder import Encoder
from casemate.stages.classify.linear import SparseLinear
from casemate.stages.classify.weights import seal_weights

LOG = logging.getLogger(__name__)
_SURE = 0.5
_GRID = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def train_attack(job: Job) -> None:
    """Train and leave `attack.npz`, `attack.json`, `attack.decontamination.json` and the manifest in the folder."""
    split, extra = _read(job.data)
    tests = read_tests(job.data / "cti-bench-sample")
    tests += [(f"held:{row.name}:{place}", row.text) for held in split.held.values() for place, row in enumerate(held)]
    report = job.out / "attack.decontamination.json"
    base = drop_leaks([_own_name(row, place) for place, row in enumerate(split.train)], tests, report)
    rows = [*base, *extra]
    counts = Counter(name for row in rows for name in row.techniques)
    classes = sorted(name for name, count in counts.items() if count >= 2)
    at = {name: place for place, name in enumerate(classes)}
    rows = [row for row in rows if any(name in at for name in row.techniques)]
    targets = [[at[name] for name in row.techniques if name in at] for row in rows]
    recipe = LinearRecipe(seed=job.seed)
    LOG.info("%d rows, %d classes", len(rows), len(classes))
    table = count_features([row.text for row in rows], recipe.least_rows)
    learned, bias = train_softmax(table, targets, _weights(rows, len(base)), len(classes), recipe)
    model = cut(table, learned, bias, recipe.kept)
    finish(model, classes, split, job, {"rows": len(rows), "recipe": asdict(recipe)})


def _read(data: Path) -> tuple[Split, list[Row]]:
    """Return the sentences, split, and the rows of other kinds that are learned at half weight."""
    techniques = data / "techniques"
    split = read_sentences(techniques, data / "knowledge" / "attack")
    split.held["annoctr"] = read_mentions(techniques, "dev")
    split.train += read_mentions(techniques, "train")
    return split, [*read_commands(data / "logs"), *read_rules(data / "logs")]


def _own_name(row: Row, place: int) -> Row:
    """Return the row under a name of its own, so that one leak does not take its whole source away."""
    return Row(f"{row.name}#{place}", row.text, techniques=row.techniques, year=row.year)


def _weights(rows: Sequence[Row], base: int) -> NDArray[np.float32]:
    return np.array([1.0 if place < base else 0.5 for place in range(len(rows))], np.float32)


def finish(model: SparseLinear, classes: Sequence[str], split: Split, job: Job, papers: dict[str, Any]) -> None:
    """Calibrate a trained model on half of the held-out rows, measure it on the other half, and seal it.

    Where the encoder's weights lie in the same folder, the blend with it is fitted too.
    """
    save(model, job.out / "attack.npz")
    held = {name: rows for name, rows in split.held.items() if rows}
    fit = [row for rows in held.values() for row in rows if _for_fit(row)]
    tuning: dict[str, Any] = {"classes": list(classes), "least_known": 0.6}
    first = {name: log_softmax(np.stack([model.logits(row.text) for row in rows])) for name, rows in held.items()}
    tuning["linear"] = _tune(held, first, classes, fit)
    figures = {"linear": measure(held, first, classes, tuning["linear"])}
    if (job.out / "encoder.manifest.json").exists():
        _blend(held, first, classes, fit, tuning, figures, job.out)
    for name in [one for one in ("linear", "both") if one in tuning]:
        encoder = Encoder.open(job.out, threads=2) if name == "both" else None
        reader = TechniqueSpecialist(
            model, {**tuning, name: tuning[name] | {"text_threshold": 0.0}}, encoder, Digest("")
        )
        threshold, figures[name]["descriptions"] = choose_text_threshold(reader, held["procedures"])
        tuning[name]["text_threshold"] = threshold
    (job.out / "attack.json").write_text(json.dumps(tuning), encoding="utf-8")
    papers |= {
        "figures": figures,
        "classes": len(classes),
        "held_out": {name: len(rows) for name, rows in held.items()},
    }
    LOG.info("held out: %s", json.dumps(figures))
    seal_weights("attack", job.out, ["attack.npz", "attack.json"], papers)


def _blend(
    held: dict[str, list[Row]],
    first: dict[str, NDArray[np.float32]],
    classes: Sequence[str],
    fit: Sequence[Row],
    tuning: dict[str, Any],
    figures: dict[str, Any],
    folder: Path,
) -> None:
    """Fit how much the encoder's technique head counts, and add what was found to `tuning` and `figures`."""
    encoder = Encoder.open(folder, threads=2)
    known = {name: place for place, name in enumerate(encoder.classes["techniques"])}
    places = np.array([known.get(name, -1) for name in classes])
    second = {
        name: spread(log_softmax(encoder.logits("techniques", encoder.embed([row.text for row in rows]))), places)
        for name, rows in held.items()
    }

    def mixed(share: float) -> dict[str, NDArray[np.float32]]:
        return {name: mix(first[name], second[name], share) for name in held}

    chosen = set(map(id, fit))

    def right(share: float) -> float:
        """Return the mean over the sets of how often the first answer is right, so that no set outvotes another."""
        both = mixed(share)
        parts = [(rows, both[name], sum(id(row) in chosen for row in rows)) for name, rows in held.items()]
        hits = [_hits(rows, lines, classes, 1, lambda row: id(row) in chosen) / max(n, 1) for rows, lines, n in parts]
        return sum(hits) / len(hits)

    share = max(_GRID, key=right)
    tuned = _tune(held, mixed(share), classes, fit)
    tuning["both"] = tuned | {"encoder_share": share}
    tuning["encoder_places"] = places.tolist()
    figures["encoder alone"] = measure(held, mixed(1.0), classes, _tune(held, mixed(1.0), classes, fit))
    figures["both"] = measure(held, mixed(share), classes, tuned)


def _for_fit(row: Row) -> bool:
    """Return whether a held-out row is for calibration; reports are kept whole."""
    return draw(row.name, "fit") < 0.5


def _hits(
    rows: Sequence[Row],
    logits: NDArray[np.float32],
    classes: Sequence[str],
    among: int,
    chosen: Callable[[Row], bool] = lambda _: True,
) -> int:
    hits = 0
    for row, line in zip(rows, _without_none(logits, classes), strict=True):
        best = np.argsort(-line)[:among]
        hits += chosen(row) and any(classes[place] in row.techniques for place in best)
    return hits


def _without_none(logits: NDArray[np.float32], classes: Sequence[str]) -> NDArray[np.float32]:
    shown = logits.copy()
    shown[:, list(classes).index(NONE)] = -1e9
    return shown


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.exp(log_softmax(logits)), np.float32)


def _candidates(
    rows: Sequence[Row], chances: NDArray[np.float32], classes: Sequence[str]
) -> list[tuple[Row, str, float, bool]]:
    """Return the five likeliest techniques of each row with their probability and whether they are right."""
    found: list[tuple[Row, str, float, bool]] = []
    for row, line in zip(rows, _without_none(chances, classes), strict=True):
        best = [int(place) for place in np.argsort(-line)[:SHOWN]]
        found += [(row, classes[place], float(line[place]), classes[place] in row.techniques) for place in best]
    return found


def _tune(
    held: dict[str, list[Row]], logits: dict[str, NDArray[np.float32]], classes: Sequence[str], fit: Sequence[Row]
) -> dict[str, Any]:
    """Return the calibration curve, the threshold, and the higher one of techniques that it does not hold for."""
    chosen = set(map(id, fit))
    tried = [one for name, rows in held.items() for one in _candidates(rows, _softmax(logits[name]), classes)]
    tried = [one for one in tried if id(one[0]) in chosen]
    curve = fit_curve([chance for _, _, chance, _ in tried], [right for *_, right in tried], pieces=24)
    curve[-1] = (1.0, curve[-2][1])
    xs, ys = zip(*curve, strict=True)
    by_technique: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for _, name, chance, right in tried:
        by_technique[name].append((float(np.interp(chance, xs, ys)), right))
    thresholds = {}
    for name, pairs in by_technique.items():
        bar = _SURE
        while sum(chance >= bar for chance, _ in pairs) >= 5 and bar < 0.9:
            given = [right for chance, right in pairs if chance >= bar]
            if sum(given) / len(given) >= 0.6:
                break
            bar += 0.1
        if bar > _SURE:
            thresholds[name] = round(bar, 2)
    return {"curve": [list(point) for point in curve], "threshold": _SURE, "thresholds": thresholds}


def choose_text_threshold(reader: TechniqueSpecialist, rows: Sequence[Row]) -> tuple[float, dict[str, Any]]:
    """Return the probability above which the techniques of a whole description are best told (most F1), and figures.

    A description is imitated by the held-out procedure sentences about one piece of software or group, one after the
    other; main techniques are compared, as CTI-ATE does. The figures are of the descriptions the choice did not see.
    """
    told, wanted = _read_descriptions(reader, [row for row in rows if draw(row.origin, "fit") < 0.5])
    threshold = max((bar / 100 for bar in range(8, 70, 2)), key=lambda bar: _f1_above(told, wanted, bar))
    told, wanted = _read_descriptions(reader, [row for row in rows if draw(row.origin, "fit") >= 0.5])
    return threshold, {"threshold": threshold, "n": wanted, "f1": round(_f1_above(told, wanted, threshold), 4)}


def _read_descriptions(reader: TechniqueSpecialist, rows: Sequence[Row]) -> tuple[list[tuple[float, bool]], int]:
    """Return the probability of each technique told of each description and whether it is right, and how many are."""
    about: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        about[row.origin].append(row)
    told: list[tuple[float, bool]] = []
    wanted = 0
    for group in about.values():
        truth = {parent_of(name) for row in group for name in row.techniques}
        wanted += len(truth)
        answer = techniques_of_description(" ".join(_ended(row.text) for row in group), reader)
        told += [(chance, name in truth) for name, chance in answer.items()]
    return told, wanted


def _f1_above(told: Sequence[tuple[float, bool]], wanted: int, bar: float) -> float:
    given = [right for chance, right in told if chance >= bar]
    return 2 * sum(given) / max(len(given) + wanted, 1)


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def measure(
    held: dict[str, list[Row]], logits: dict[str, NDArray[np.float32]], classes: Sequence[str], tuned: dict[str, Any]
) -> dict[str, Any]:
    """Return the figures of each held-out set on the rows that calibration did not see."""
    xs, ys = zip(*tuned["curve"], strict=True)
    figures: dict[str, Any] = {}
    pairs: list[tuple[float, bool]] = []
    for name, rows in held.items():
        unseen = [place for place, row in enumerate(rows) if not _for_fit(row)]
        part, scores = [rows[place] for place in unseen], logits[name][unseen]
        tried = [
            (float(np.interp(chance, xs, ys)), right)
            for *_, chance, right in _candidates(part, _softmax(scores), classes)
        ]
        pairs += tried
        figures[name] = {
            "n": len(part),
            "top1": round(_hits(part, scores, classes, 1) / max(len(part), 1), 4),
            "top5": round(_hits(part, scores, classes, SHOWN) / max(len(part), 1), 4),
            "ece": round(calibration_error(tried), 4),
        } | _f1(part, _without_none(scores, classes), classes)
        sure = [right for chance, right in tried if chance >= tuned["threshold"]]
        figures[name] |= {"accepted": len(sure), "precision": round(sum(sure) / max(len(sure), 1), 4)}
    return figures | {"ece": round(calibration_error(pairs), 4)}


def _f1(rows: Sequence[Row], logits: NDArray[np.float32], classes: Sequence[str]) -> dict[str, float]:
    """Return micro and macro F1 of the first answer, over the techniques that the rows show."""
    said = [classes[place] for place in logits.argmax(axis=1)] if len(rows) else []
    names = sorted({name for row in rows for name in row.techniques})
    scores = []
    for name in names:
        right = sum(answer == name and name in row.techniques for answer, row in zip(said, rows, strict=True))
        total = sum(answer == name for answer in said) + sum(name in row.techniques for row in rows)
        scores.append(2 * right / total if total else 0.0)
    micro = sum(answer in row.techniques for answer, row in zip(said, rows, strict=True)) / max(len(rows), 1)
    return {"micro_f1": round(micro, 4), "macro_f1": round(sum(scores) / max(len(scores), 1), 4)}
