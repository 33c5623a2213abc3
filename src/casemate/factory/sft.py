"""Fine-tune: a LoRA adapter over the very weights the product ships, taught on the answers alone.

    OUT/progress.json      steps, seconds and tokens so far; what `--resume` goes on from
    OUT/checkpoint-N/      the newest checkpoint (adapter, optimiser, places in the schedule)
    OUT/adapter/           the trained adapter as PEFT leaves it
    OUT/sft.manifest.json  written last: recipe, corpus and base by digest, and what was measured

transformers reads the GGUF and hands back full weights, so the adapter learns to mend the very rounding of the
quantised base. A row is laid out token by token as the embedded engine lays out a request.
"""

import json
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from casemate import __version__
from casemate.core.errors import WrongUsage
from casemate.factory import corpus_files
from casemate.factory.lessons import Lesson, read_lessons
from casemate.factory.pacing import Pace
from casemate.factory.recipe import Recipe
from casemate.stages.generate.chat_templates import TURNS

log = logging.getLogger(__name__)

MANIFEST = "sft.manifest.json"
SAVE_EVERY = 20  # steps between two checkpoints


@dataclass(frozen=True, slots=True)
class SftJob:
    """What is trained: the recipe, the corpus folder, the base (a GGUF file or a folder), and where it is left.

    `minutes` above 0 ends the schedule after so long; `steps` above 0 after so many steps. `resume` goes on from the
    newest checkpoint of `out`.
    """

    recipe: Recipe
    corpus: Path
    base: Path
    out: Path
    minutes: float = 0.0
    steps: int = 0
    resume: bool = False


def train_adapter(job: SftJob) -> Path:
    """Train the adapter of a recipe and return its folder; the manifest comes last.

    Raises `WrongUsage` for a corpus or base that is none, or a folder that holds a run already; `ModuleNotFoundError`
    where the packages of the `train` extra are missing.
    """
    corpus = corpus_files.read_manifest(job.corpus)
    held = job.out / MANIFEST
    if held.exists() or (not job.resume and any(job.out.glob("checkpoint-*"))):
        raise WrongUsage(f"{job.out} holds a run already", way_out="name another folder, or go on with --resume")
    job.out.mkdir(parents=True, exist_ok=True)
    tokenizer, model = load_base(job.base)
    rows = lay_out_all(list(read_lessons(job.corpus / "train.jsonl")), tokenizer, job.recipe)
    pace = Pace(job.out / "progress.json", _all_steps(job, len(rows)), job.minutes * 60, resume=job.resume)
    trainer = _trainer(job, model, tokenizer, rows, pace)
    newest = max(job.out.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]), default=None)
    trainer.train(resume_from_checkpoint=str(newest) if job.resume and newest else None)
    folder = job.out / "adapter"
    trainer.model.save_pretrained(folder)
    facts = {
        "stage": "sft",
        "version": __version__,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "recipe": job.recipe.name,
        "recipe_digest": job.recipe.digest,
        "seed": job.recipe.seed,
        "base": job.base.name,
        "base_sha256": digest_file(job.base) if job.base.is_file() else "",
        "corpus": corpus["files"]["train.jsonl"],
        "rows": len(rows),
        "adapter_sha256": digest_file(folder / "adapter_model.safetensors"),
        "parameters": sum(one.numel() for one in trainer.model.parameters() if one.requires_grad),
        **pace.told(),
    }
    held.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return folder


def _all_steps(job: SftJob, rows: int) -> int:
    return job.steps or max(1, round(rows * job.recipe.train.epochs / job.recipe.train.batch))


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        digest = sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def load_base(base: Path) -> tuple[Any, Any]:
    """Load tokenizer and weights of a GGUF file or of a folder that transformers reads, in 32 bits."""
    if not base.exists():
        raise WrongUsage(f"{base}: no model", way_out="name a stored model, a GGUF file or a folder: --base")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, extra = (base.parent, {"gguf_file": base.name}) if base.is_file() else (base, {})
    whole = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    tokenizer = AutoTokenizer.from_pretrained(folder, **extra)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=whole, **extra)
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config  # the weights are whole now
    for mark in ("hf_quantizer", "quantization_method", "is_quantized"):
        if hasattr(model, mark):
            delattr(model, mark)
    model.config.use_cache = False
    return tokenizer, model


def lay_out_all(lessons: Sequence[Lesson], tokenizer: Any, recipe: Recipe) -> list[dict[str, list[int]]]:
    """Lay out the rows that fit the recipe's length, in an order drawn by its seed; what is too long is counted."""
    rows = [lay_out(lesson, tokenizer, recipe.base.turns) for lesson in lessons]
    kept = [row for row in rows if len(row["input_ids"]) <= recipe.train.length]
    if not kept:
        raise WrongUsage("no row of the corpus fits the length of the recipe", way_out="raise train.length")
    random.Random(recipe.seed).shuffle(kept)  # noqa: S311 - a repeatable draw, no secret
    tokens = sum(len(row["input_ids"]) for row in kept)
    answers = sum(label != -100 for row in kept for label in row["labels"])
    log.info(
        "%d rows, %d too long and left out, %d tokens, %d of them answers",
        len(kept),
        len(rows) - len(kept),
        tokens,
        answers,
    )
    return kept


def lay_out(lesson: Lesson, tokenizer: Any, turns: str) -> dict[str, list[int]]:
    """Turn a lesson into tokens as the embedded engine does, with a loss on the answer and its end alone.

    The engine tokenises the instruction, one line feed, and the rest apart from each other.
    """
    form = TURNS[turns]
    prompt = prompt_tokens(lesson.instruction, lesson.evidence, tokenizer, turns)
    answer = _tokens(lesson.answer + (form.ends[0] if form.ends else tokenizer.eos_token), tokenizer)
    return {"input_ids": prompt + answer, "labels": [-100] * len(prompt) + answer}


def prompt_tokens(instruction: str, evidence: str, tokenizer: Any, turns: str) -> list[int]:
    """Turn the two parts of a request into the tokens of a prompt, up to where the answer begins."""
    form = TURNS[turns]
    prompt = _tokens(form.before + instruction, tokenizer)
    rest = [*_tokens("\n", tokenizer), *_tokens("\n" + evidence + form.after, tokenizer)]
    return prompt + (rest if evidence else _tokens(form.after, tokenizer))


def _tokens(text: str, tokenizer: Any) -> list[int]:
    made: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return made


def _trainer(job: SftJob, model: Any, tokenizer: Any, rows: Sequence[dict[str, list[int]]], pace: Pace) -> Any:
    from datasets import Dataset
    from peft import LoraConfig

    from casemate.factory.sft_trainer import PacedTrainer, Watch

    recipe = job.recipe
    lora = LoraConfig(
        r=recipe.lora.rank,
        lora_alpha=recipe.lora.alpha,
        lora_dropout=recipe.lora.dropout,
        target_modules=list(recipe.lora.targets),
        task_type="CAUSAL_LM",
    )
    pace.start()
    return PacedTrainer(
        recipe.train,
        pace,
        model,
        args=_settings(job, pace.steps),
        train_dataset=Dataset.from_list(order_rows(rows, recipe, pace.steps)),
        processing_class=tokenizer,
        peft_config=lora,
        callbacks=[Watch(pace)],
    )


def _settings(job: SftJob, steps: int) -> Any:
    import torch
    from trl import SFTConfig

    recipe = job.recipe
    graphics = torch.cuda.is_available()  # also true of ROCm builds
    return SFTConfig(
        output_dir=str(job.out),
        per_device_train_batch_size=recipe.train.micro_batch,
        gradient_accumulation_steps=recipe.train.batch // recipe.train.micro_batch,
        max_steps=steps,
        bf16=recipe.train.precision == "bf16",
        use_cpu=not graphics,
        gradient_checkpointing=graphics,
        max_length=None,
        packing=False,
        save_strategy="steps",
        save_steps=SAVE_EVERY,
        save_total_limit=1,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=recipe.seed,
        data_seed=recipe.seed,
        train_sampling_strategy="sequential",
        dataloader_pin_memory=graphics,
        dataset_kwargs={"skip_prepare_dataset": True},
        max_grad_norm=1.0,
    )


def order_rows(rows: Sequence[dict[str, list[int]]], recipe: Recipe, steps: int) -> list[dict[str, list[int]]]:
    """Order the rows so that each batch holds rows of like length, the batches themselves at random, epoch by epoch."""
    chance = random.Random(recipe.seed)  # noqa: S311 - a repeatable draw, no secret
    size = recipe.train.batch
    ordered: list[dict[str, list[int]]] = []
    while len(ordered) < steps * size:
        fresh = list(rows)
        chance.shuffle(fresh)
        pools = [fresh[at : at + size * 16] for at in range(0, len(fresh), size * 16)]
        batches = []
        for pool in pools:
            pool.sort(key=lambda row: len(row["input_ids"]))
            batches += [pool[at : at + size] for at in range(0, len(pool), size)]
        chance.shuffle(batches)
        ordered += [row for batch in batches if len(batch) == size or len(rows) < size for row in batch]
    return ordered[: steps * size]
