"""Train the n-gram model: one table of vectors, with heads for weaknesses and for CVSS metrics."""

import json
import logging
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from casemate.factory.rows import SOURCES, Row
from casemate.stages.classify.cvss_score import METRICS
from casemate.stages.classify.encoder import arrays_to_bytes
from casemate.stages.classify.ngrams import BUCKETS, rows_of, words_of

LOG = logging.getLogger(__name__)
_ABSENT = (-1,) * len(METRICS)
SIZES = [len(values) for values in METRICS.values()]


@dataclass(frozen=True, slots=True)
class NgramRecipe:
    """How the n-gram model is trained.

    Args:
        width: of an n-gram's vector.
        drop: the share of n-grams left out of a text at each step, against learning texts by heart.
    """

    width: int = 64
    epochs: int = 5
    batch: int = 128
    table_rate: float = 4e-2
    head_rate: float = 5e-3
    drop: float = 0.2
    smoothing: float = 0.05
    seed: int = 7
    threads: int = 1


def train_ngrams(rows: Sequence[Row], classes: Sequence[str], recipe: NgramRecipe, out: Path) -> None:
    """Train on the rows and leave `ngrams.npz` (int8) and `ngrams.json` in `out`."""
    import torch

    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    features = [np.unique(np.asarray(rows_of(words_of(row.text)), np.int32), return_counts=True) for row in rows]
    seen = np.zeros(BUCKETS, np.int32)
    for places, _ in features:
        seen[places] += 1
    LOG.info("%d rows read, %d of %d buckets used", len(rows), int((seen > 0).sum()), BUCKETS)
    model = _Model(recipe.width, len(classes))
    groups = [{"params": [model.table.weight]}, {"params": list(model.heads.parameters())}]
    rates = [recipe.table_rate, recipe.head_rate]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0, fused=True)
    steps = recipe.epochs * (len(rows) // recipe.batch)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=steps + 1, pct_start=0.1)
    targets = _targets(rows, classes)
    started, recent, step = time.monotonic(), [], 0
    order = list(range(len(rows)))
    chooser = random.Random(recipe.seed)  # noqa: S311  an order, not a secret
    for _ in range(recipe.epochs):
        chooser.shuffle(order)
        for start in range(0, len(order) - recipe.batch + 1, recipe.batch):
            batch = order[start : start + recipe.batch]
            loss = model.loss([features[place] for place in batch], targets[batch], recipe)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            cycle.step()
            recent.append(float(loss.detach()))
            step += 1
            if step % 200 == 0:
                pace = time.monotonic() - started
                LOG.info("step %d of %d, loss %.3f, %.0f s", step, steps, np.mean(recent), pace)
                recent = []
    out.mkdir(parents=True, exist_ok=True)
    (out / "ngrams.npz").write_bytes(arrays_to_bytes(_quantise(model, seen)))
    papers = {"cwe": list(classes), "sources": SOURCES, "recipe": asdict(recipe), "rows": len(rows)}
    (out / "ngrams.json").write_text(json.dumps(papers), encoding="utf-8")


def _targets(rows: Sequence[Row], classes: Sequence[str]) -> Any:
    """Return a matrix: weakness, its source, the eight metrics, their source, the weight in thousandths."""
    import torch

    cwe = {name: place for place, name in enumerate(classes)}
    source = {name: place for place, name in enumerate(SOURCES)}
    return torch.tensor(
        [
            (
                cwe.get(row.cwe, -1),
                source.get(row.origin, 0),
                *(row.metrics or _ABSENT),
                source.get(row.metrics_origin, 0),
                int(row.weight * 1000),
            )
            for row in rows
        ]
    )


class _Model:
    def __init__(self, width: int, classes: int) -> None:
        import torch

        self.table = torch.nn.EmbeddingBag(BUCKETS, width, mode="sum")
        torch.nn.init.normal_(self.table.weight, std=0.1)
        self.heads = torch.nn.ModuleDict()
        for name, size in (("cwe", classes), ("cvss", sum(SIZES))):
            self.heads[name] = torch.nn.Linear(width, size)
            self.heads[f"{name}_source"] = torch.nn.Embedding(len(SOURCES), size)
            torch.nn.init.zeros_(self.heads[f"{name}_source"].weight)

    def loss(self, features: Sequence[Any], targets: Any, recipe: NgramRecipe) -> Any:
        """Return the mean loss of a batch: weaknesses, and a quarter of the sum over the metrics."""
        import torch
        from torch.nn.functional import cross_entropy

        offsets = torch.tensor([0, *np.cumsum([len(places) for places, _ in features])[:-1]])
        places = torch.from_numpy(np.concatenate([places for places, _ in features]).astype(np.int64))
        counts = torch.from_numpy(np.concatenate([counts / counts.sum() for _, counts in features]).astype(np.float32))
        kept = counts * (torch.rand(len(counts)) >= recipe.drop) / (1 - recipe.drop)
        means = self.table(places, offsets, per_sample_weights=kept)
        known, scored = targets[:, 0] >= 0, targets[:, 2] >= 0
        total = means.sum() * 0.0
        if known.any():
            logits = self.heads["cwe"](means[known]) + self.heads["cwe_source"](targets[known, 1])
            losses = cross_entropy(logits, targets[known, 0], reduction="none", label_smoothing=recipe.smoothing)
            total = total + (losses * targets[known, -1] / 1000).sum()
        if scored.any():
            logits = self.heads["cvss"](means[scored]) + self.heads["cvss_source"](targets[scored, -2])
            for at, part in enumerate(torch.split(logits, SIZES, dim=1)):
                total = total + 0.25 * cross_entropy(part, targets[scored, 2 + at], reduction="sum")
        return total / len(targets)


def _quantise(model: _Model, seen: Any) -> dict[str, Any]:
    """Return the arrays that are shipped: int8 rows with a scale each (0 where no text had the n-gram), heads."""
    table = model.table.weight.detach().numpy()
    scale = np.where(seen > 0, np.abs(table).max(axis=1) / 127, 0).astype(np.float16)
    safe = np.where(scale > 0, scale, 1).astype(np.float32)
    whole = np.where(scale[:, None] > 0, np.clip(np.rint(table / safe[:, None]), -127, 127), 0).astype(np.int8)
    arrays: dict[str, Any] = {"table": whole, "scale": scale}
    for name in ("cwe", "cvss"):
        head = model.heads[name]
        arrays[f"{name}.weight"] = head.weight.detach().numpy().T.astype(np.float16)
        by_source = head.bias.detach() + model.heads[f"{name}_source"].weight.detach()
        arrays[f"{name}.bias"] = by_source.numpy().astype(np.float32)
    return arrays
