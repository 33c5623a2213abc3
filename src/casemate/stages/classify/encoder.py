"""The shared encoder: a fine-tuned MiniLM (six layers, width 384) in int8 ONNX, with linear heads in NumPy.

    encoder = Encoder.open()
    vectors = encoder.embed(["text", ...])            # (n, 384) float32, the mean of the token vectors, not normalised
    logits = encoder.logits("techniques", vectors)    # (n, classes); the classes: encoder.classes["techniques"]
    logits = encoder.logits("cwe", vectors, "nvd")    # as one labelling source would answer; sources: encoder.sources

Heads: `cwe` (weaknesses), `cvss` (22 logits, the values of the eight metrics one after the other) and
`techniques` (ATT&CK ids, and NONE for a sentence that shows none). For search, divide vectors by their norm.
"""

import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from casemate.core.digest import Digest
from casemate.stages.classify.weights import Weights, open_weights
from casemate.stages.classify.wordpieces import WordPieces

Floats = NDArray[np.float32]
MAX_TOKENS = 96
_BATCH = 8


class Encoder:
    """Texts to vectors, and vectors to the logits of the heads trained with them."""

    def __init__(self, weights: Weights, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            weights.files["encoder.onnx"], options, providers=["CPUExecutionProvider"]
        )
        self._pieces = WordPieces(weights.files["vocab.txt"].decode("utf-8").splitlines())
        self._heads = {name: value.astype(np.float32) for name, value in weights.arrays("heads.npz").items()}
        self.digest: Digest = weights.digest
        self.sources: tuple[str, ...] = tuple(weights.papers["sources"])
        self.classes: dict[str, tuple[str, ...]] = {name: tuple(weights.papers[name]) for name in ("cwe", "techniques")}

    @classmethod
    def open(cls, folder: Path | None = None, threads: int = 1) -> "Encoder":
        """Open the shipped encoder (once in a process) or that of a folder; `NotTrusted` where it is altered."""
        return _open_shipped(threads) if folder is None else cls(open_weights("encoder", folder), threads)

    def embed(self, texts: Sequence[str]) -> Floats:
        """Return one vector a text, shape (n, 384); texts are cut at 96 tokens; order is kept."""
        encoded = [self._pieces.encode(text, MAX_TOKENS) for text in texts]
        order = sorted(range(len(encoded)), key=lambda place: len(encoded[place]))
        vectors = np.zeros((len(encoded), 384), np.float32)
        for start in range(0, len(order), _BATCH):
            places = order[start : start + _BATCH]
            longest = max(len(encoded[place]) for place in places)
            ids = np.zeros((len(places), longest), np.int64)
            mask = np.zeros_like(ids)
            for line, place in enumerate(places):
                tokens = encoded[place]
                ids[line, : len(tokens)] = tokens
                mask[line, : len(tokens)] = 1
            vectors[places] = self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return vectors

    def logits(self, head: str, vectors: Floats, source: str | None = None) -> Floats:
        """Return the logits of a head, shape (n, classes), corrected for a labelling source if one is named."""
        result: Floats = vectors @ self._heads[f"{head}.weight"].T + self._heads[f"{head}.bias"]
        if source is not None:
            size, at = result.shape[1], self.sources.index(source)
            part = slice(at * size, (at + 1) * size)
            result += vectors @ self._heads[f"{head}_by_source.weight"][part].T
            result += self._heads[f"{head}_by_source.bias"][part]
        return result


@lru_cache(maxsize=2)
def _open_shipped(threads: int) -> Encoder:
    return Encoder(open_weights("encoder"), threads)


def arrays_to_bytes(arrays: dict[str, Any]) -> bytes:
    """Return arrays as the content of an `.npz` file."""
    held = io.BytesIO()
    np.savez_compressed(held, **arrays)
    return held.getvalue()
