"""Set a stored case beside others: those named, else the related ones that retrieval finds."""

from collections.abc import Callable, Mapping, Sequence

from casemate.core.case import Case, Shared
from casemate.core.feature import Feature
from casemate.core.text import Texts
from casemate.policy import Limits
from casemate.stages.retrieve import FeatureIndex, find_related
from casemate.stages.retrieve.related import shared_between
from casemate.tasks.compare import Beside, case_features, set_beside

MOST = 3
"""Related cases that are compared when none is named."""

Find = Callable[[str], Case]
"""Reads a case by its id; raises `WrongUsage` for one that does not exist or may not be told of."""


def compare_cases(
    case: Case, with_ids: Sequence[str], find: Find, index: FeatureIndex, texts: Texts, limits: Limits
) -> tuple[Beside, ...]:
    """Compare a case with those named, or with the most closely related in the index; `find` reads them.

    What a person rejected in either is left out.
    """
    case = case.standing()
    here = case_features(case, texts)
    total, held = index.frequencies(here, case.id)
    others: list[tuple[Case, Sequence[Shared] | None]]
    if with_ids:
        others = [(find(name).standing(), None) for name in dict.fromkeys(with_ids) if name != case.id]
    else:
        related = find_related(here, index, limits, exclude=case.id)[:MOST]
        others = [(find(one.id).standing(), one.shared) for one in related]
    return tuple(_beside(case, other, here, shared, held, total, texts) for other, shared in others)


def _beside(
    case: Case,
    other: Case,
    here: Sequence[Feature],
    shared: Sequence[Shared] | None,
    held: Mapping[Feature, int],
    total: int,
    texts: Texts,
) -> Beside:
    there = case_features(other, texts)
    both = shared if shared is not None else shared_between(here, there, held, total)
    return set_beside(case, other, here, there, both, total)
