"""A model as transformers holds it: whole weights with a trained adapter, asked many rows at a time, unconstrained.

The product's engine reads the converted GGUF, one request after the other, under a JSON grammar. To choose a recipe it
is enough, and many times faster, to ask the weights themselves; and what they write without a grammar shows whether
they have learnt the form. What is released is measured with the engine as well.
"""

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from casemate.core.digest import Digest, digest_value
from casemate.core.errors import CasemateError, WrongUsage
from casemate.factory.sft import digest_file, load_base, prompt_tokens
from casemate.stages.generate import Completion, Request
from casemate.stages.generate.chat_templates import TURNS
from casemate.stages.generate.model import Answer


class Weights:
    """A base in a GGUF file or a folder, and the adapter that `casemate factory sft` left, if one is named.

    `adapters` holds the one name under which a request asks for the adapter, with the beginning of its digest.
    """

    def __init__(self, base: Path, turns: str, tuned: Path | None = None, batch: int = 16) -> None:
        if turns not in TURNS:
            raise WrongUsage(f"there is no turn format {turns!r}", way_out=f"one of {', '.join(TURNS)}")
        import torch

        self._tokenizer, model = load_base(base)
        self._form, self._turns, self._batch = TURNS[turns], turns, batch
        if tuned is not None:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, tuned)
        model.config.use_cache = True
        self._model: Any = model.to(torch.bfloat16).eval()
        self._tuned = tuned is not None
        self.adapters = [f"tuned-{digest_file(tuned / 'adapter_model.safetensors')[:12]}"] if tuned is not None else []
        self.name = f"{base.stem[:24]}, whole"
        self.digest: Digest = digest_value(["weights", digest_file(base) if base.is_file() else base.name])

    def complete(self, request: Request) -> Completion:
        """Answer one request, greedily and without its schema."""
        return self._answer([request])[0]

    def complete_all(self, requests: Iterable[Request], retries: int = 0) -> Iterator[Answer]:
        """Answer requests in batches, in order; the longest prompt of a batch sets what each of it costs."""
        queue = iter(requests)
        while group := list(islice(queue, self._batch)):
            try:
                yield from self._answer(group)
            except CasemateError as error:
                if not retries:
                    yield from [error] * len(group)

    def _answer(self, requests: Sequence[Request]) -> list[Completion]:
        import torch

        started = time.monotonic()
        prompts = [prompt_tokens(one.instruction, one.evidence, self._tokenizer, self._turns) for one in requests]
        end = self._tokenizer.convert_tokens_to_ids(self._form.ends[0]) if self._form.ends else None
        end = self._tokenizer.eos_token_id if end is None else end
        width = max(map(len, prompts))
        ids = torch.tensor([[end] * (width - len(one)) + one for one in prompts])
        mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in prompts])
        base_alone = self._tuned and not requests[0].adapter
        with torch.no_grad(), self._model.disable_adapter() if base_alone else contextlib.nullcontext():
            made = self._model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=max(one.max_tokens for one in requests),
                do_sample=False,
                eos_token_id=end,
                pad_token_id=end,
            )
        spent = (time.monotonic() - started) / len(requests)
        return [
            self._completion(request, row[width:].tolist(), end, len(prompt), spent)
            for request, row, prompt in zip(requests, made, prompts, strict=True)
        ]

    def _completion(self, request: Request, row: list[int], end: int, prompt: int, spent: float) -> Completion:
        written = row[: row.index(end)] if end in row else row
        finish = "stop" if end in row and len(written) <= request.max_tokens else "length"
        text = self._tokenizer.decode(written[: request.max_tokens], skip_special_tokens=True)
        return Completion(text, prompt, 0, len(written), spent, finish)
