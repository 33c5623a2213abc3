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
from casemate.stages.classify.domain import ODDS_ROWS, ODDS_SCALE, WORD_BITS, Domain, bit_of, bits_of
from casemate.stages.classify.encoder import arrays_to_bytes
from casemate.stages.classify.ngrams import words_of
from casemate.stages.classify.reading import tidy

LOG = logging.getLogger(__name__)
_MEMBER_LIMIT = 4_000_000
_PASSED = 0.004


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


def train_domain(rows: Sequence[Row], data: Path, held: Sequence[Row], seed: int) -> bytes:
    """Return the content of `domain.npz`: the known words, the odds of words and pairs, and the cuts.

    The cuts let all but three in a thousand of the held-out descriptions pass.
    """
    counts = Counter(word for row in rows for word in set(words_of(row.text)))
    bits = np.zeros(WORD_BITS, np.uint8)
    bits[[bit_of(word) for word, count in counts.items() if count >= 3]] = 1
    chooser = random.Random(seed)  # noqa: S311  a sample, not a secret
    others = [tidy(text) for text in dict.fromkeys(other_texts(data))]
    others = [text for text in others if len(words_of(text)) >= 4]
    chooser.shuffle(others)
    others = others[:24_000]
    inside = chooser.sample(list(rows), min(24_000, len(rows)))
    learned, left_out = others[: len(others) * 9 // 10], others[len(others) * 9 // 10 :]
    inside_counts, other_counts = _documents_with([row.text for row in inside]), _documents_with(learned)
    odds = np.log((inside_counts + 0.5) / (len(inside) + 1)) - np.log((other_counts + 0.5) / (len(learned) + 1))
    odds = np.where(inside_counts + other_counts >= 2, odds, 0.0)
    arrays: dict[str, Any] = {
        "words": np.packbits(bits),
        "odds": np.clip(np.rint(odds * ODDS_SCALE), -127, 127).astype(np.int8),
        "min_known": 0.0,
        "min_odds": 0.0,
    }
    loose = Domain(arrays)
    shares = [loose.known_share([word for word in words_of(row.text) if word[0].isalnum()] or ["?"]) for row in held]
    arrays["min_known"] = min(float(np.quantile(shares, _PASSED)), 0.7)
    arrays["min_odds"] = float(np.quantile([loose.odds(row.text) for row in held], _PASSED))
    refused = float(np.mean([loose.odds(text) < arrays["min_odds"] for text in left_out]))
    cuts = (arrays["min_known"], arrays["min_odds"], refused, len(left_out))
    LOG.info("domain: known words >= %.2f, log-odds >= %.3f; refuses %.3f of %d other texts", *cuts)
    return arrays_to_bytes(arrays)


def _documents_with(texts: Sequence[str]) -> Any:
    """Return in how many texts each row of the table of odds has a word or a pair."""
    counts = np.zeros(ODDS_ROWS)
    for text in texts:
        counts[list(set(bits_of(words_of(text))))] += 1
    return counts
