"""From a name to a model: embedded, server or script."""

import os
from pathlib import Path

from casemate.core.errors import NotTrusted, RefusedByPolicy, WrongUsage
from casemate.policy import Policy
from casemate.stages.generate.embedded import Adapter, Embedded, EngineOptions
from casemate.stages.generate.gguf import ModelFile
from casemate.stages.generate.model import Model
from casemate.stages.generate.model_store import (
    StoredModel,
    find_model,
    list_adapters,
    model_path,
    verify_adapter,
    verify_model,
)
from casemate.stages.generate.scripted import read_script
from casemate.stages.generate.server import Served
from casemate.stages.generate.shipped import shipped_beside


def open_model(name: str | None, home: Path, policy: Policy, options: EngineOptions | None = None) -> Model:
    """Open the model a name stands for; `none` is the caller's business.

    `server:URL#MODEL` is a server (its key, if it wants one, is in $CASEMATE_ENGINE_KEY), with `,ADAPTER` after the
    model for each LoRA adapter it offers under a name of its own; `scripted:FILE` is a script, anything else a stored
    model by name or digest, and None or an empty name the default one. A stored model is verified here with its
    adapters and those that come with casemate for it, before anything loads them; an adapter that was altered is not
    loaded, and a request that names it is refused. Raises `NotTrusted`, `RefusedByPolicy` or `WrongUsage`.
    """
    kind, _, rest = (name or "").partition(":")
    if kind == "scripted" and rest:
        return read_script(Path(rest))
    if kind == "server" and rest:
        _allow("server", policy)
        url, _, names = rest.partition("#")
        model, *adapters = names.split(",")
        if not model or not all(adapters):
            raise WrongUsage(f"{name!r} names no model", way_out="write server:http://127.0.0.1:8000/v1#MODEL")
        return Served(url, model, policy, os.environ.get("CASEMATE_ENGINE_KEY", ""), adapters=adapters)
    _allow("embedded", policy)
    stored = find_model(home, name)
    header, turns = verify_model(home, stored, policy)
    path = model_path(home, stored)
    beside = [_adapter(home, adapter, header, policy) for adapter in list_adapters(home, stored)]
    held = {adapter.name for adapter in beside}  # what a person put beside the base goes before what is shipped
    beside += [one for one in shipped_beside(stored.digest, header, policy.limits) if one.name not in held]
    return Embedded(path, stored.name, stored.digest, header, turns, policy.limits, options, adapters=beside)


def _adapter(home: Path, adapter: StoredModel, base: ModelFile, policy: Policy) -> Adapter:
    fault = None
    try:
        verify_adapter(home, adapter, base, policy)
    except NotTrusted as error:
        fault = error
    return Adapter(adapter.name, adapter.digest, model_path(home, adapter), fault)


def _allow(engine: str, policy: Policy) -> None:
    if engine not in policy.engines:
        raise RefusedByPolicy(
            f"the policy does not allow the engine {engine!r}", way_out=f"allowed are: {', '.join(policy.engines)}"
        )
