"""Findings: what the machine proposes, each carried by citations."""

from dataclasses import dataclass

from casemate.core.digest import Digest
from casemate.core.text import Span


@dataclass(frozen=True, slots=True)
class Citation:
    """A quotation from evidence: `quote` is, character for character, what `span` selects."""

    span: Span
    quote: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """One proposal about the case that a person accepts or rejects.

    `id` is stable for the same case (`F1`, `F2`, ...). `kind` is one of `technique`, `vulnerability`, `weakness`,
    `actor`, `malware`, `tool`, `payload`, `injection`, `detection`, `judgement`, `time`, `pattern`. `reference` is the
    public id it names, if any. `basis` says how it came about: `named` (the evidence says it), `looked-up` (knowledge
    about something named), `computed` (counted or decoded by code), `specialist` or `model`; `maker` is the digest of
    the specialist, model or knowledge release behind it. `probability` is 0..1 and None where nothing was estimated.
    `candidates` lists the ids an ambiguous name may mean (then `reference` is empty). `severity` is the OCSF
    `severity_id`, 0 when it has none.
    """

    id: str
    kind: str
    title: str
    detail: str
    basis: str
    citations: tuple[Citation, ...]
    reference: str = ""
    candidates: tuple[str, ...] = ()
    probability: float | None = None
    severity: int = 0
    maker: Digest | None = None
