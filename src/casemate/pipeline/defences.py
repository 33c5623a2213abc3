"""What stands between a language model and the case, as functions, so that the bench can measure each by its absence.

No setting reaches this: every command uses `Defences()`. The fence and the schema are not here: they are part of the
request, and whoever implements the model's port can look past them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from casemate.core.finding import Citation
from casemate.core.issue import Issue
from casemate.core.text import Texts
from casemate.stages.validate import Claim, Excerpt, check_citations, check_claims, find_quote
from casemate.tasks.excerpts import talks_to_a_model


@dataclass(frozen=True, slots=True)
class Defences:
    """All of them, on.

    Args:
        leave_out: tells which lines of the evidence a model is not shown.
        locate: finds where a model's quotation stands in what it was shown.
        check: keeps the claims that pass a task's checks.
        verify: compares the citations of what is kept with the stored text.
    """

    leave_out: Callable[[str], bool] = talks_to_a_model
    locate: Callable[[str, Sequence[Excerpt]], Citation | None] = find_quote
    check: Callable[..., tuple[tuple[Claim, ...], tuple[Issue, ...]]] = check_claims
    verify: Callable[[Iterable[Citation], Texts], tuple[Issue, ...]] = check_citations
