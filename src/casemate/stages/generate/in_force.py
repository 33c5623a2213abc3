"""Which stored models and adapters came in signed bundles, and which of those are in force."""

from pathlib import Path

from casemate.bundle.state import MODEL_SLOT, read_state

SOURCE = "bundle:"
"""How the `source` of a model from a bundle begins; the rest is the bundle's digest."""


def may_be_used(home: Path, source: str, digest: str) -> bool:
    """Tell whether a stored file may be used: one a person added always, one of a bundle while that is in force."""
    if not source.startswith(SOURCE):
        return True
    return any(stack[-1].weights == digest for stack in read_state(home).slots.values() if stack)


def model_in_force(home: Path) -> str | None:
    """Name the digest of the model that the bundles' switch says is used; None where it says nothing."""
    applied = read_state(home).in_force(MODEL_SLOT)
    return applied.weights if applied else None


def is_kept_for_bundles(home: Path, digest: str) -> bool:
    """Tell whether a file is in force by a bundle, or is what one of them would be rolled back to."""
    return any(one.weights == digest for stack in read_state(home).slots.values() for one in stack)
