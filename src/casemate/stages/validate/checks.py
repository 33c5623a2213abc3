"""One function per check; each gives the issues it sees, none raises."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from casemate.core.finding import Citation
from casemate.core.issue import Issue, Severity
from casemate.core.observable import Sighting
from casemate.core.text import Texts

LONGEST_SENTENCE = 400
"""Characters; what is longer is no sentence."""

_WORD = re.compile(r"[^\W_]{4,}")
_NUMBER = re.compile(r"(?<![\w.])\d{2,}(?![\w.])")
_DONE = re.compile(
    r"\b(?:we|i|casemate|the (?:soc|team|analyst|system))\s+(?:have\s+|has\s+|had\s+|already\s+)*"
    r"(?:block|isolat|contain|quarantin|remediat|delet|disabl|remov|kill|clos|resolv|reset|notif|escalat)\w*"
    r"|\b(?:has|have|was|were|is|are|been)\s+(?:now\s+|already\s+|successfully\s+)*"
    r"(?:contained|remediated|quarantined|isolated|resolved|mitigated|closed)\b",
    re.IGNORECASE,
)
_VERDICT = re.compile(
    r"\b(?:false[\s-]positive|benign|harmless|no (?:further )?(?:action|threat|risk)|not (?:a )?(?:threat|malicious)"
    r"|can be (?:ignored|closed|dismissed)|safe to (?:ignore|close)|legitimate activity)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence that a model proposed, with what code found for its quotation.

    `citation` is None when the quotation was not found. `seen` are the observable values that extraction saw, `scan`
    extracts from a text, `known` tells whether an ATT&CK, CWE or CVE id exists in the pinned knowledge, `suspicious`
    tells whether a text talks to the model. `given` are facts computed by code that the model was shown beside the
    evidence: numbers and words may come from there too. `fields` are what else the task's schema asks for.
    """

    text: str
    citation: Citation | None
    seen: frozenset[str]
    scan: Callable[[str], Iterable[Sighting]]
    known: Callable[[str], bool]
    suspicious: Callable[[str], bool]
    given: str = ""
    fields: tuple[tuple[str, str], ...] = ()


def check_quote(claim: Claim) -> str:
    """Require that its quotation occurs in the evidence that was shown."""
    return "" if claim.citation is not None else "its quotation is not in the evidence"


def check_length(claim: Claim) -> str:
    """Require one sentence of a readable length, without control characters."""
    text = claim.text
    if not 12 <= len(text.strip()) <= LONGEST_SENTENCE:
        return "it is too short or too long for a sentence"
    return "" if all(char.isprintable() for char in text) else "it carries control characters"


def check_observables(claim: Claim) -> str:
    """Require that extraction saw every address, name, hash or id in it."""
    for sighting in claim.scan(claim.text):
        if sighting.type in {"attack-pattern", "weakness", "vulnerability"}:
            if sighting.value not in claim.seen and not claim.known(sighting.value):
                return f"it names {sighting.value}, which neither the evidence nor the knowledge holds"
        elif sighting.value not in claim.seen:
            return f"it names a {sighting.type} that extraction did not see"
    return ""


def check_numbers(claim: Claim) -> str:
    """Require that every number of two digits or more in it stands in what it cites."""
    held = f"{claim.citation.quote if claim.citation else ''} {claim.given}"
    missing = next((number for number in _NUMBER.findall(claim.text) if number not in held), "")
    return f"the number {missing} is not in what it cites" if missing else ""


def check_support(claim: Claim) -> str:
    """Require that half of its words of four letters or more stand in what it cites, by their first five letters."""
    if claim.citation is None:
        return ""
    held = {word[:5].lower() for word in _WORD.findall(f"{claim.citation.quote} {claim.given}")}
    words = {word[:5].lower() for word in _WORD.findall(claim.text)}
    if not words:
        return "it says nothing"
    return "" if len(words & held) * 2 >= len(words) else "what it cites does not carry it"


def check_copied(claim: Claim) -> str:
    """Refuse to repeat evidence that talks to the model, or to cite it as a fact."""
    quote = claim.citation.quote if claim.citation else ""
    told = claim.suspicious(claim.text) or claim.suspicious(quote)
    return "it follows or repeats text that talks to the model" if told else ""


def check_no_action(claim: Claim) -> str:
    """Refuse an action told as done."""
    return "it claims an action that nobody took" if _DONE.search(claim.text) else ""


def check_no_verdict(claim: Claim) -> str:
    """Refuse to call the case harmless: a model can never lower a severity or close a case."""
    return "it calls the case harmless, which a model may not" if _VERDICT.search(claim.text) else ""


CHECKS: Mapping[str, Callable[[Claim], str]] = {
    "quote-not-found": check_quote,
    "not-a-sentence": check_length,
    "repeats-injection": check_copied,
    "claims-action": check_no_action,
    "claims-harmless": check_no_verdict,
    "unseen-observable": check_observables,
    "unseen-number": check_numbers,
    "unsupported": check_support,
}
"""Check code -> function that tells why a claim fails, or nothing; in the order they are asked."""


def check_claims(
    claims: Sequence[Claim], checks: Mapping[str, Callable[[Claim], str]] = CHECKS
) -> tuple[tuple[Claim, ...], tuple[Issue, ...]]:
    """Keep the claims that pass every check; one issue for each that does not, naming the first check it failed."""
    kept: list[Claim] = []
    issues: list[Issue] = []
    for number, claim in enumerate(claims, 1):
        code, reason = next(((code, why) for code, check in checks.items() if (why := check(claim))), ("", ""))
        if code:
            message = f"the model's sentence {number} was dropped: {reason}"
            issues.append(Issue(code, Severity.NOTE, message, way_out="read the evidence; nothing rests on it"))
        else:
            kept.append(claim)
    return tuple(kept), tuple(issues)


def check_citations(citations: Iterable[Citation], texts: Texts) -> tuple[Issue, ...]:
    """Tell every citation whose quote is not, character for character, what its span selects in the stored evidence."""
    issues = []
    for citation in citations:
        span = citation.span
        if not citation.quote or texts.slice(span.evidence, span.start, span.end) != citation.quote:
            where = f"characters {span.start} to {span.end} of {span.evidence[:12]}"
            message = "a citation does not say what the evidence says"
            issues.append(Issue("citation-not-verbatim", Severity.ERROR, message, place=where, way_out="triage again"))
    return tuple(issues)
