"""Train the weights by which `ask` compares the options of a question, on questions made from the knowledge itself."""

import json
import logging
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from casemate.factory.questions import Question, make_questions
from casemate.knowledge import Knowledge, build_default, import_file
from casemate.stages.retrieve.options import FEATURES, compared, is_negated, measure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from casemate.factory.train import Job

OFFICIAL = (
    "attack/enterprise-attack.json.gz",
    "attack/mobile-attack.json.gz",
    "attack/ics-attack.json.gz",
    "capec/stix-capec-2.1.json.gz",
)
"""The files, below `knowledge/` in the training data, that the questions are made from beside the default index."""

QUESTIONS = 3_000
HELD_OUT = 5  # one entry in five, with all questions about it, only tests
PENALTY = 0.02
STEPS = 400
RATE = 0.05

NOT_LEARNED = ("unknown",)
"""Made options hold no words that the knowledge lacks, so nothing true can be learned about them."""

_log = logging.getLogger("casemate.factory.options")


def train_options(job: "Job") -> None:
    """Build an index, make questions from it, measure their options, fit the weights; the manifest comes last."""
    index = job.out / "knowledge.sqlite"
    if not index.exists():
        build_default(index)
        for name in OFFICIAL:
            import_file(index, job.data / "knowledge" / name)
    with Knowledge.open(index) as knowledge:
        questions = make_questions(knowledge, job.steps or QUESTIONS, job.seed)
        _log.info("%d questions made", len(questions))
        weights, figures = fit_weights(questions, knowledge)
        releases = {release.name: release.digest for release in knowledge.releases()}
    (job.out / "option_weights.json").write_text(json.dumps({"weights": weights}, indent=1) + "\n", "utf-8")
    manifest = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": job.seed,
        "releases": releases,
        "figures": figures,
    }
    (job.out / "options.manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")


def fit_weights(questions: Sequence[Question], knowledge: Knowledge) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fit the weights on plain questions; return them with the figures on held-out entries, negated ones turned round.

    Weights of their own for negated questions were no better on the held-out ones (0.906 both, 64 questions).
    """
    import numpy as np

    rows = np.array([compared(measure(one.text, one.options, knowledge.pieces).measured) for one in questions])
    rows[:, :, [place + form * len(FEATURES) for form in (0, 1) for place in map(FEATURES.index, NOT_LEARNED)]] = 0
    right = np.array([one.right for one in questions])
    negated = np.array([is_negated(one.text) for one in questions])
    tests = np.array([zlib.crc32(one.about.encode()) % HELD_OUT == 0 for one in questions])
    sorts = np.array([one.sort for one in questions])
    learned = fit(rows[~negated & ~tests], right[~negated & ~tests])
    names = [f"{form}:{name}" for form in ("spread", "share") for name in FEATURES]
    hits = (rows @ learned * np.where(negated, -1, 1)[:, None]).argmax(axis=1) == right
    figures: dict[str, Any] = {"trained_on": int((~negated & ~tests).sum()), "tested_on": int(tests.sum())}
    for mode, chosen in (("plain", ~negated), ("negated", negated)):
        figures[mode] = {
            sort: {"questions": int(held.sum()), "accuracy": round(float(hits[held].mean()), 4)}
            for sort in ("", *sorted(set(sorts.tolist())))
            if (held := chosen & tests & ((sorts == sort) | (sort == ""))).any()
        }
    _log.info("%s", json.dumps(figures))
    return {name: round(float(value), 4) for name, value in zip(names, learned, strict=True)}, figures


def fit(rows: "NDArray[np.float64]", right: "NDArray[np.int64]") -> "NDArray[np.float64]":
    """Fit a softmax over the options of each question (questions x options x features) with a quadratic penalty."""
    import numpy as np

    weights = np.zeros(rows.shape[2])
    first = second = np.zeros_like(weights)
    for step in range(1, STEPS + 1):
        logits = rows @ weights
        chances = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        chances[np.arange(len(right)), right] -= 1
        slope = np.einsum("qo,qof->f", chances, rows) / max(len(right), 1) + PENALTY * weights
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        weights = weights - RATE * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return weights
