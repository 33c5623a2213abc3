"""Earlier cases that share something rare with this one, and what it is that they share."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from casemate.core.case import RelatedCase, Shared
from casemate.core.feature import Feature, Holding
from casemate.core.finding import Finding
from casemate.core.observable import Observable
from casemate.policy import Limits

WEIGHTS = {"observable": 1.0, "template": 0.5, "technique": 0.5}
"""How much a shared feature of each kind says: the same address says more than the same way of working."""

TELLING_SHARE = 0.1
TELLING_FLOOR = 5
CANDIDATES = 20_000


class FeatureIndex(Protocol):
    """The features of all earlier cases."""

    def frequencies(self, wanted: Sequence[Feature], exclude: str = "") -> tuple[int, Mapping[Feature, int]]:
        """Count the cases, and for each feature that any of them holds, how many do; `exclude` is not counted."""
        ...

    def holders(self, wanted: Sequence[Feature], among: Sequence[str] = (), exclude: str = "") -> tuple[Holding, ...]:
        """Give the cases that hold any of the features (only those of `among`, unless empty)."""
        ...


def features_of(
    observables: Iterable[Observable], findings: Iterable[Finding], templates: Iterable[str] = ()
) -> tuple[Feature, ...]:
    """Name what a case has that another may share: unflagged observables, techniques and log templates, each once.

    An observable with a flag (a warning list, a private range, the reader's own) ties nothing to anything.
    """
    seen = (Feature("observable", f"{item.type}:{item.value}") for item in observables if not item.flags)
    techniques = (
        Feature("technique", finding.reference)
        for finding in findings
        if finding.kind == "technique" and finding.reference
    )
    lines = (Feature("template", template) for template in templates if template)
    return tuple(dict.fromkeys((*seen, *techniques, *lines)))


def find_related(
    features: Sequence[Feature], index: FeatureIndex, limits: Limits, exclude: str = ""
) -> tuple[RelatedCase, ...]:
    """Find the earlier cases that share something rare with the case that has `features`, the rarest sharing first.

    What a shared feature says is its inverse document frequency, log(1 + cases / cases with it) (after K. Sparck Jones,
    "A statistical interpretation of term specificity", 1972), times `WEIGHTS`. A case is related only if it shares a
    *telling* feature, one that at most a tenth of the cases hold, or at most five; only telling features rank, the
    others are listed. Of equal ones the newest comes first. `exclude` is the id of the case itself. At most
    `limits.related_cases` come back, each with the `limits.shared_per_related_case` rarest of what is shared.
    """
    total, held = index.frequencies(features, exclude)
    telling = _rarest(held, max(TELLING_FLOOR, int(total * TELLING_SHARE)))
    if not telling:
        return ()
    ranked = sorted(
        (_rank(case, held, total) for case in index.holders(telling, exclude=exclude)), key=lambda rank: rank[:3]
    )[: limits.related_cases]
    # A second look, at the few that stay: what else, less telling, do they share?
    chosen = tuple(case.id for *_order, case in ranked)
    everything = {case.id: case.features for case in index.holders(tuple(held), among=chosen, exclude=exclude)}
    return tuple(
        RelatedCase(
            id=case.id,
            title=case.title,
            created=case.created,
            shared=_shared(everything.get(case.id, case.features), held, total)[: limits.shared_per_related_case],
            rarity=round(-minus_rarity, 6),
        )
        for minus_rarity, _minus_time, _id, case in ranked
    )


def shared_between(
    here: Iterable[Feature], there: Iterable[Feature], held: Mapping[Feature, int], total: int
) -> tuple[Shared, ...]:
    """Tell what two cases share, the rarest first; `held` and `total` are what `FeatureIndex.frequencies` gave.

    A feature that the index does not count (too common a template in its case) counts as held by the one case.
    """
    both = dict.fromkeys(there)
    known = {feature: max(held.get(feature, 1), 1) for feature in here if feature in both}
    return _shared(known, known, max(total, 1))


def _rarest(held: Mapping[Feature, int], most: int) -> tuple[Feature, ...]:
    # The rarest first, until so many cases hold them that looking at all would take long.
    chosen: list[Feature] = []
    cases = 0
    for feature, count in sorted(held.items(), key=lambda pair: (pair[1], pair[0])):
        cases += count
        if count > most or cases > CANDIDATES:
            break
        chosen.append(feature)
    return tuple(chosen)


def _says(feature: Feature, held: Mapping[Feature, int], total: int) -> float:
    return WEIGHTS.get(feature.kind, 0.5) * math.log(1 + total / held[feature])


def _rank(case: Holding, held: Mapping[Feature, int], total: int) -> tuple[float, float, str, Holding]:
    rarity = math.fsum(_says(feature, held, total) for feature in case.features)
    return -rarity, -case.created.timestamp(), case.id, case


def _shared(features: Iterable[Feature], held: Mapping[Feature, int], total: int) -> tuple[Shared, ...]:
    ordered = sorted(features, key=lambda feature: (-_says(feature, held, total), feature))
    return tuple(Shared(feature.kind, feature.value, held[feature]) for feature in ordered)
