"""Train the specialist for dispositions on labelled alerts of whole scenarios, and measure it on others.

Data: the AIT alert data set (Landauer et al., six scenarios here: Wazuh, Suricata and AMiner alerts with the attack
phase of their time). A scenario is either learned from or measured on, never both. Needs scikit-learn.
"""

import csv
import io
import json
import logging
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from casemate.bench.cti import calibration_error
from casemate.factory.calibrate import fit_curve
from casemate.factory.train import Job
from casemate.stages.classify.alert_groups import (
    BUCKET,
    Alert,
    AlertGroups,
    Group,
    feature_names,
    features_of_groups,
    rule_key,
)
from casemate.stages.classify.trees import Trees
from casemate.stages.classify.weights import seal_weights

LOG = logging.getLogger(__name__)
FALSE = "false_positive"
RECALL = 0.95
HELD_OUT = ("harrison", "wardbeck")
"""Scenarios that the published figures are measured on; the shipped weights have learned from all six afterwards."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario: its groups by time, how many alerts of each phase each group has, and the phase of most."""

    name: str
    groups: list[Group]
    counts: list[Counter[str]]
    phases: list[str]


def read_scenarios(path: Path) -> list[Scenario]:
    """Return the scenarios of an archive of CSV files, or of a folder of them, by name."""
    return [_scenario(name, rows) for name, rows in sorted(_tables(path))]


def _tables(path: Path) -> Iterator[tuple[str, list[dict[str, str]]]]:
    if path.is_dir():
        for file in (*path.glob("*_alerts.txt"), *path.glob("*_alerts.csv")):
            with file.open(encoding="utf-8", newline="") as lines:
                yield file.stem.removesuffix("_alerts"), list(csv.DictReader(lines))
        return
    with tarfile.open(path) as archive:
        for member in archive:
            data = archive.extractfile(member) if member.isfile() else None
            if data is not None and "_alerts" in member.name:
                lines = io.TextIOWrapper(data, encoding="utf-8", newline="")
                yield Path(member.name).stem.removesuffix("_alerts"), list(csv.DictReader(lines))


def _scenario(name: str, rows: Sequence[Mapping[str, str]]) -> Scenario:
    collected = AlertGroups()
    labels: dict[tuple[int, str, str, str], Counter[str]] = defaultdict(Counter)
    for row in rows:
        alert = Alert(float(row["time"]), row["name"], row["host"], row["ip"])
        collected.see(alert)
        labels[int(alert.time // BUCKET), alert.rule, alert.host, alert.address][row["time_label"]] += 1
    groups = collected.groups()
    counts = [labels[int(one.time // BUCKET), one.rule, one.host, one.address] for one in groups]
    return Scenario(name, groups, counts, [one.most_common(1)[0][0] for one in counts])


def learn_rule_scores(scenarios: Sequence[Scenario]) -> dict[str, float]:
    """Return for each rule the log-odds that it speaks of an attack: the reference that looks at nothing else.

    Its share of each phase's groups, the mean over the phases, against its share of the false positives' groups.
    """
    phases: dict[str, Counter[str]] = defaultdict(Counter)
    for scenario in scenarios:
        for group, phase in zip(scenario.groups, scenario.phases, strict=True):
            phases[phase][rule_key(group.rule)] += 1
    false = phases.pop(FALSE, Counter())
    total = max(sum(false.values()), 1)
    scores = {}
    for rule in {rule for counts in (*phases.values(), false) for rule in counts}:
        shown = sum(counts[rule] / sum(counts.values()) for counts in phases.values()) / max(len(phases), 1)
        scores[rule] = round(float(np.log((shown + 1e-3) / (false[rule] / total + 1e-3))), 4)
    return scores


def _weights(phases: Sequence[str]) -> Floats:
    """Weigh every phase of a scenario alike, and the false positives as all phases together."""
    counts = Counter(phases)
    attacks = max(len(counts) - 1, 1)
    return np.array([(attacks if phase == FALSE else 1.0) / counts[phase] for phase in phases]) * 1000


def _fit(parts: Sequence[tuple[NDArray[np.float32], Scenario]], seed: int) -> dict[str, Any]:
    """Return the arrays of boosted trees (`Trees`) fitted to rows of several scenarios."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    learned = HistGradientBoostingClassifier(
        max_iter=70,
        learning_rate=0.12,
        max_leaf_nodes=15,
        min_samples_leaf=40,
        l2_regularization=5.0,
        random_state=seed,
    )
    rows = np.concatenate([part for part, _ in parts])
    attack = np.array([phase != FALSE for _, scenario in parts for phase in scenario.phases])
    learned.fit(rows, attack, sample_weight=np.concatenate([_weights(one.phases) for _, one in parts]))
    columns: dict[str, list[NDArray[Any]]] = defaultdict(list)
    roots, offset = [], 0
    for (tree,) in learned._predictors:  # noqa: SLF001 - the fitted trees have no public name
        nodes = tree.nodes
        leaf = nodes["is_leaf"].astype(bool)
        columns["feature"].append(np.where(leaf, -1, nodes["feature_idx"]))
        columns["bar"].append(nodes["num_threshold"])
        columns["left"].append(nodes["left"] + offset)
        columns["right"].append(nodes["right"] + offset)
        columns["value"].append(np.where(leaf, nodes["value"], 0.0))
        roots.append(offset)
        offset += len(nodes)
    arrays: dict[str, Any] = {name: np.concatenate(parts) for name, parts in columns.items()}
    arrays["bar"] = arrays["bar"].astype(np.float32)
    base = np.asarray(learned._baseline_prediction).ravel()[0]  # noqa: SLF001 - as above
    return arrays | {"roots": np.array(roots), "base": np.array(base)}


def _rows(scenario: Scenario, others: Sequence[Scenario]) -> NDArray[np.float32]:
    """Return the features of a scenario with rule scores learned from the others only."""
    return features_of_groups(scenario.groups, learn_rule_scores(others), 0.0)


def _plain(arrays: Mapping[str, Any], rows: NDArray[np.float32]) -> Floats:
    return np.asarray(1 / (1 + np.exp(-Trees(arrays).score(rows).astype(np.float64))))


def measure_cut(
    scores: Sequence[Floats], scenarios: Sequence[Scenario], *, by_group: bool, recall: float = RECALL
) -> dict[str, Any]:
    """Return the highest cut at which the mean recall over the phases is `recall`, and the share of false ones below.

    A phase's recall is the share of its alerts (or groups) at or above the cut.
    """
    by_phase: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for line, scenario in zip(scores, scenarios, strict=True):
        for score, counts, phase in zip(line, scenario.counts, scenario.phases, strict=True):
            for name, count in ((phase, 1),) if by_group else tuple(counts.items()):
                by_phase[name].append((float(score), count))
    false = np.array(by_phase.pop(FALSE))
    phases = {name: np.array(pairs) for name, pairs in sorted(by_phase.items())}

    def recalls(cut: float) -> dict[str, float]:
        return {name: float(one[one[:, 0] >= cut, 1].sum() / one[:, 1].sum()) for name, one in phases.items()}

    cuts = np.unique(np.concatenate([one[:, 0] for one in phases.values()]))
    low, high = 0, len(cuts) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if sum(recalls(cuts[middle]).values()) / len(phases) >= recall:
            low = middle
        else:
            high = middle - 1
    cut = float(cuts[low])
    found = recalls(cut)
    return {
        "cut": cut,
        "false_below": round(float(false[false[:, 0] < cut, 1].sum() / false[:, 1].sum()), 4),
        "macro_recall": round(sum(found.values()) / len(found), 4),
        "recall": {name: round(value, 3) for name, value in found.items()},
    }


def train_disposition(job: Job) -> None:
    """Train, measure on the scenarios held out, train again on all of them, and seal."""
    scenarios = read_scenarios(job.data / "logs" / "ait_ads" / "alerts_csv.tar.xz")
    learned = [one for one in scenarios if one.name not in HELD_OUT]
    tested = [one for one in scenarios if one.name in HELD_OUT]
    LOG.info("groups: %s", {one.name: len(one.groups) for one in scenarios})
    parts = [(_rows(one, [other for other in learned if other is not one]), one) for one in learned]
    unseen = [
        _plain(_fit([*parts[:place], *parts[place + 1 :]], job.seed), rows) for place, (rows, _) in enumerate(parts)
    ]
    curve = _curve(unseen, learned)
    shown = [_shown(line, curve) for line in unseen]
    cut = min(measure_cut(shown, learned, by_group=way)["cut"] for way in (True, False))
    arrays = _fit(parts, job.seed)
    scores = [_shown(_plain(arrays, _rows(one, learned)), curve) for one in tested]
    by_rule = learn_rule_scores(learned)
    reference = [np.array([by_rule.get(rule_key(group.rule), 0.0) for group in one.groups]) for one in tested]
    figures = {
        f"{what} by {'group' if way else 'alert'}": measure_cut(line, tested, by_group=way)
        for what, line in (("model", scores), ("rule alone", reference))
        for way in (True, False)
    }
    pairs = [
        (float(chance), phase != FALSE)
        for line, one in zip(scores, tested, strict=True)
        for chance, phase in zip(line, one.phases, strict=True)
    ]
    figures["ece"] = {"groups": round(calibration_error(pairs), 4), "n": len(pairs)}
    LOG.info("held out %s: %s", HELD_OUT, json.dumps(figures))
    final = _fit([(_rows(one, [other for other in scenarios if other is not one]), one) for one in scenarios], job.seed)
    _leave(job, final, {"rule_scores": learn_rule_scores(scenarios), "curve": curve, "cut": cut}, figures)


def _curve(unseen: Sequence[Floats], scenarios: Sequence[Scenario]) -> list[tuple[float, float]]:
    """Return the calibration curve: how often a group of a scenario that was not learned from is of an attack."""
    right = [phase != FALSE for one in scenarios for phase in one.phases]
    return fit_curve(list(map(float, np.concatenate(unseen))), right, pieces=40)


def _shown(plain: Floats, curve: list[tuple[float, float]]) -> Floats:
    """Return calibrated probabilities; a little of the plain one is kept, so that equal ones stay in order."""
    xs, ys = zip(*curve, strict=True)
    return np.asarray(np.interp(plain, xs, ys) + 1e-6 * plain)


def _leave(job: Job, arrays: dict[str, Any], tuning: dict[str, Any], figures: dict[str, Any]) -> None:
    kinds = {"feature": np.int16, "bar": np.float32, "left": np.uint16, "right": np.uint16, "value": np.float32}
    np.savez_compressed(
        job.out / "disposition.npz",
        **{name: value.astype(kinds.get(name, value.dtype)) for name, value in arrays.items()},
    )
    (job.out / "disposition.json").write_text(json.dumps(tuning, indent=1) + "\n", encoding="utf-8")
    papers = {"figures": figures, "features": feature_names(), "held_out": HELD_OUT, "seed": job.seed}
    seal_weights("disposition", job.out, ["disposition.npz", "disposition.json"], papers)
