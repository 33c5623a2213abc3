"""Which bundle is in force and which were before: a value, the rules by which it changes, and its one file.

`bundles/state.json` in casemate's home is the switch: whoever asks which model or adapter is in use reads it, and it is
only ever replaced whole. Everything else that an apply writes means nothing until this file names it.
"""

import dataclasses
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError

from casemate.bundle.manifest import KINDS, BundleManifest, BundleRefused, version_key
from casemate.core.digest import Digest
from casemate.core.errors import NotTrusted, WrongUsage

MODEL_SLOT = "model"
KEPT = 8  # how far back a slot can be rolled
_STATE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Applied:
    """What fills a slot: a bundle, or (with an empty `bundle`) a model a person chose by itself; digests are SHA-256.

    `bundle` is the digest over all its files, `weights` that of the GGUF, empty where no model was in use.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    weights: str
    bundle: str = ""
    name: str = ""
    version: str = ""
    kind: str = MODEL_SLOT
    base: str = ""
    tasks: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Name it for a person."""
        return f"{self.name} {self.version}" if self.bundle else f"the model {self.weights[:16] or 'none'}"


@dataclass(frozen=True, slots=True)
class Told:
    """What the audit chain must be told of the last change: action, subject and body of the event."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    action: str
    subject: str
    body: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class State:
    """All of it. `slots` maps `model` and `adapter:NAME` to what was in force, the last being so now.

    `highest` maps a name to the highest version ever applied under it and that bundle's digest. `change` counts up.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    change: int = 0
    last: Told | None = None
    slots: dict[str, tuple[Applied, ...]] = field(default_factory=dict)
    highest: dict[str, tuple[str, str]] = field(default_factory=dict)

    def in_force(self, slot: str) -> Applied | None:
        """Give what fills a slot now; None when nothing ever did, or it was rolled back to nothing."""
        stack = self.slots.get(slot, ())
        return stack[-1] if stack else None

    @property
    def adapters(self) -> tuple[Applied, ...]:
        """Give the adapters in force, by name."""
        stacks = (stack for slot, stack in sorted(self.slots.items()) if slot != MODEL_SLOT)
        return tuple(stack[-1] for stack in stacks if stack)


def slot_of(manifest: BundleManifest) -> str:
    """Name the slot a bundle fills: there is one model, and one adapter of each name."""
    return MODEL_SLOT if manifest.kind == "model" else f"adapter:{manifest.name}"


def check_version(state: State, manifest: BundleManifest, digest: Digest, allowed: str = "") -> None:
    """Step 8: refuse a version below the highest ever applied, or the same with other content, unless named."""
    if manifest.name not in state.highest or manifest.version == allowed:
        return
    version, known = state.highest[manifest.name]
    old, new = version_key(version), version_key(manifest.version)
    if new < old:
        raise BundleRefused(
            "downgrade",
            f"{manifest.title} is older than {version}, which was applied before",
            way_out=f"if that is meant: --allow-downgrade {manifest.version}",
        )
    if new == old and digest != known:
        raise BundleRefused(
            "version-reused",
            f"{manifest.title} was applied before with other content",
            way_out=f"ask its publisher why; if that is meant: --allow-downgrade {manifest.version}",
        )


def after_apply(
    state: State,
    manifest: BundleManifest,
    digest: Digest,
    key: str,
    before: str,
    remarks: tuple[tuple[str, str], ...] = (),
) -> State:
    """Put a bundle in force. `before` is the GGUF of the model that was in use, for the first bundle ever.

    `remarks` are told to the audit chain with the rest.
    """
    slot = slot_of(manifest)
    entry = Applied(
        manifest.weights.sha256,
        digest,
        manifest.name,
        manifest.version,
        manifest.kind,
        manifest.base,
        manifest.tasks,
    )
    first = (Applied(before),) if slot == MODEL_SLOT and before else ()
    stack = (*(state.slots.get(slot) or first), entry)[-KEPT:]
    highest = dict(state.highest)
    known = highest.get(manifest.name)
    if known is None or version_key(manifest.version) >= version_key(known[0]):
        highest[manifest.name] = (manifest.version, digest)
    body = (
        ("name", manifest.name),
        ("version", manifest.version),
        ("kind", manifest.kind),
        ("weights-sha256", entry.weights),
        ("key", key),
        *remarks,
        ("change", str(state.change + 1)),
    )
    told = Told("model.applied", digest, body)
    return State(state.change + 1, told, {**state.slots, slot: stack}, highest)


def after_roll_back(state: State, name: str = "") -> tuple[State, Applied, Applied | None]:
    """Go one step back in one slot; give the new state, what was left and what is in force instead.

    `name` is that of the bundle, needed only where several are in force. `WrongUsage` when there is nothing to do.
    """
    fitting = {
        slot: stack
        for slot, stack in state.slots.items()
        if stack and stack[-1].bundle and name in ("", stack[-1].name)
    }
    if len(fitting) > 1:
        names = ", ".join(sorted(stack[-1].name for stack in fitting.values()))
        raise WrongUsage("several bundles are in force", way_out=f"name the one to roll back: {names}")
    if not fitting:
        raise WrongUsage(
            f"no bundle {name!r} is in force" if name else "no bundle is in force", way_out="casemate model list"
        )
    ((slot, stack),) = fitting.items()
    left, instead = stack[-1], stack[-2] if len(stack) > 1 else None
    body = (
        ("name", left.name),
        ("version", left.version),
        ("to-bundle", instead.bundle if instead else ""),
        ("to-weights-sha256", instead.weights if instead else ""),
        ("change", str(state.change + 1)),
    )
    told = Told("model.rolled-back", left.bundle, body)
    return State(state.change + 1, told, {**state.slots, slot: stack[:-1]}, state.highest), left, instead


def after_choice(state: State, weights: str) -> State:
    """Put a model that a person chose by name in force, over whatever bundle was."""
    stack = (*state.slots.get(MODEL_SLOT, ()), Applied(weights))[-KEPT:]
    return State(state.change + 1, None, {**state.slots, MODEL_SLOT: stack}, state.highest)


def bundles_folder(home: Path) -> Path:
    """Name the folder of applied bundles."""
    return home / "bundles"


def state_path(home: Path) -> Path:
    """Name the switch."""
    return bundles_folder(home) / "state.json"


def weights_path(home: Path, applied: Applied) -> Path:
    """Name the weights of an applied bundle."""
    return bundles_folder(home) / applied.bundle / KINDS[applied.kind]


def read_state(home: Path) -> State:
    """Read what is in force; an empty state where no bundle ever was, `NotTrusted` for a file that is none."""
    path = state_path(home)
    try:
        with path.open("rb") as file:
            return TypeAdapter(State).validate_json(file.read(_STATE_BYTES))
    except FileNotFoundError:
        return State()
    except OSError as error:
        raise NotTrusted(f"{path}: {error.strerror}", way_out="check who may read it") from error
    except ValidationError as error:
        raise NotTrusted(
            f"{path}: cannot be read", way_out="bring it back from a backup, or apply a bundle anew"
        ) from error


def state_bytes(state: State) -> bytes:
    """Write the state."""
    return json.dumps(dataclasses.asdict(state), indent=1, sort_keys=True).encode("utf-8") + b"\n"


def choose_plain(home: Path, weights: str) -> None:
    """Tell the switch, where there is one, that a person chose a model by name."""
    state = read_state(home)
    if state.slots.get(MODEL_SLOT):
        fresh = state_path(home).with_name(f".state.json.{os.getpid()}")
        fresh.write_bytes(state_bytes(after_choice(state, weights)))
        fresh.replace(state_path(home))
