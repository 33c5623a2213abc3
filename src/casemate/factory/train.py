"""The trainers by name; each leaves weights and, last, a manifest in a folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Job:
    """What a trainer is asked for.

    Args:
        data: the folder of training data (the one with `cve/`, `techniques/`, `knowledge/`, `logs/`).
        out: the folder for weights, log and manifests; what a former run finished there is used again.
        seed: of every random choice.
        steps: of the encoder; 0 for the recipe's own number, -1 for no encoder at all.
        minutes: after which the encoder's schedule ends even so; 0 for no limit.
    """

    data: Path
    out: Path
    seed: int = 7
    steps: int = 0
    minutes: float = 0.0


def _train_cwe(job: Job) -> None:
    from casemate.factory.vulnerabilities import train_cwe

    train_cwe(job)


def _train_cvss(job: Job) -> None:
    from casemate.factory.vulnerabilities import train_cvss

    train_cvss(job)


def _train_attack(job: Job) -> None:
    from casemate.factory.attack import train_attack

    train_attack(job)


def _train_disposition(job: Job) -> None:
    from casemate.factory.disposition import train_disposition

    train_disposition(job)


def _train_options(job: Job) -> None:
    from casemate.factory.options import train_options

    train_options(job)


TRAINERS: dict[str, Callable[[Job], None]] = {
    "attack": _train_attack,
    "cvss": _train_cvss,
    "cwe": _train_cwe,
    "disposition": _train_disposition,
    "options": _train_options,
}
"""Name of a specialist -> what trains it."""
