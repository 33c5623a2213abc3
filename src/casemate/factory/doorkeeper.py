"""Train what tells the text of a vulnerability from any other text."""

import gzip
import json
import logging
import random
import re
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from casemate.factory.rows import Row
from casemate.stages.classify.domain import WORD_BITS, Domain, bit_of
from casemate.stages.classify.encoder import arrays_to_bytes
from casemate.stages.classify.ngrams import NgramModel, words_of
from casemate.stages.classify.reading import tidy

LOG = logging.getLogger(__name__)
_MEMBER_LIMIT = 4_000_000
_PASSED = 0.003


def other_texts(data: Path) -> Iterator[str]:
    """Yield texts that describe no vulnerability: sentences of reports and of encyclopedias, prompts, mails, code."""
    with gzip.open(data / "techniques" / "tram_negative.json.gz", "rt", encoding="utf-8") as file:
        yield from json.load(file)
    for name in ("procedures_enterprise_train", "tram2_docs_train"):
        with gzip.open(data / "techniques" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            yield from (json.loads(line)["text"] for line in lines)
    for path in sorted((data / "prompt_injection").glob("*.tar.gz")):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and member.size < _MEMBER_LIMIT and not member.name.endswith((".md", "LICENSE")):
                    held = archive.extractfile(member)
                    text = held.read().decode("utf-8", "replace") if held else ""
                    yield from re.findall(r"[^\n\"]{30,800}", text.replace("\\n", "\n"))


def train_domain(rows: Sequence[Row], data: Path, model: NgramModel, held: Sequence[Row], seed: int) -> bytes:
    """Return the content of `domain.npz`: the known words, the two-class model, and its cuts.

    The cuts let all but three in a thousand of the held-out descriptions pass.
    """
    from sklearn.linear_model import LogisticRegression

    counts = Counter(word for row in rows for word in set(words_of(row.text)))
    bits = np.zeros(WORD_BITS, np.uint8)
    bits[[bit_of(word) for word, count in counts.items() if count >= 3]] = 1
    chooser = random.Random(seed)  # noqa: S311  a sample, not a secret
    others = [tidy(text) for text in dict.fromkeys(other_texts(data))]
    others = [text for text in others if len(words_of(text)) >= 4]
    chooser.shuffle(others)
    others = others[:24_000]
    inside = chooser.sample(list(rows), min(24_000, len(rows)))
    vectors = np.stack([model.mean(text) for text in [*(row.text for row in inside), *others]])
    labels = np.asarray([1] * len(inside) + [0] * len(others))
    kept = np.asarray([chooser.random() < 0.9 for _ in labels])
    learned = LogisticRegression(C=100.0, max_iter=400).fit(vectors[kept], labels[kept])
    arrays: dict[str, Any] = {
        "words": np.packbits(bits),
        "weight": learned.coef_[0].astype(np.float32),
        "bias": learned.intercept_[0],
        "min_known": 0.0,
        "min_domain": 0.0,
    }
    loose = Domain(arrays)
    shares = [loose.known_share([word for word in words_of(row.text) if word[0].isalnum()] or ["?"]) for row in held]
    passing = [loose.probability(model.mean(row.text)) for row in held]
    arrays["min_known"] = min(float(np.quantile(shares, _PASSED)), 0.7)
    arrays["min_domain"] = min(float(np.quantile(passing, _PASSED)), 0.5)
    left_out = [loose.probability(vector) for vector in vectors[(labels == 0) & ~kept]]
    refused = float(np.mean(np.asarray(left_out) < arrays["min_domain"]))
    cuts = (arrays["min_known"], arrays["min_domain"], refused, len(left_out))
    LOG.info("domain: known words >= %.2f, probability >= %.3f; refuses %.3f of %d other texts", *cuts)
    return arrays_to_bytes(arrays)
