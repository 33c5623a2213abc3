"""LoRA adapters: small files beside a base model, which a request may name."""

import re

from casemate.core.errors import NotTrusted
from casemate.stages.generate.gguf import ModelFile

_HALF = re.compile(r"(.+)\.lora_([ab])")


def check_adapter(adapter: ModelFile, base: ModelFile, source: str) -> None:
    """Refuse (`NotTrusted`) what is no LoRA adapter, or one whose weights do not fit the base's.

    For a weight of shape (in, out), `lora_a` is (in, rank) and `lora_b` is (rank, out), as llama.cpp reads them; for
    the token embedding the first is (rank, out) and the second (rank, in).
    """

    def refuse(reason: str) -> None:
        raise NotTrusted(f"{source}: {reason}", way_out="name the base the adapter was trained on: --adapter-of BASE")

    if (adapter.kind, adapter.adapter_type) != ("adapter", "lora"):
        refuse("no LoRA adapter (its general.type and adapter.type say so)")
    if adapter.architecture != base.architecture:
        refuse(f"an adapter for {adapter.architecture}, the base is {base.architecture}")
    halves: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, shape in adapter.shapes.items():
        if (found := _HALF.fullmatch(name)) is None or len(shape) != 2:
            refuse(f"{name!r} is no half of a low-rank weight")
        else:
            halves.setdefault(found[1], {})[found[2]] = shape
    if not halves:
        refuse("an adapter without weights")
    for target, half in halves.items():
        meant = base.shapes.get(target)
        if meant is None:
            refuse(f"the base has no weight {target!r}")
        elif set(half) != {"a", "b"}:
            refuse(f"one half only for {target!r}")
        elif not _fits(target, half["a"], half["b"], meant):
            refuse(f"{target!r} is {meant} in the base, the adapter has {half['a']} and {half['b']}")


def _fits(target: str, a: tuple[int, ...], b: tuple[int, ...], meant: tuple[int, ...]) -> bool:
    if target == "token_embd.weight":
        return a[0] == b[0] and (b[1], a[1]) == meant
    return a[1] == b[0] and (a[0], b[1]) == meant
