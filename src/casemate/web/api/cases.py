"""Cases: lists and what is in them."""

from typing import Annotated

from fastapi import Query

from casemate.core.assessment import Disposition
from casemate.core.case import State
from casemate.core.marking import Marking
from casemate.store import CaseLine, CaseQuery
from casemate.web.api.answers import Limit, List
from casemate.web.doorkeeper import Asked


def list_cases(
    visit: Asked,
    state: State | None = None,
    disposition: Disposition | None = None,
    marking: Marking | None = None,
    priority: Annotated[int | None, Query(ge=1, le=5)] = None,
    q: Annotated[str, Query(max_length=200, description="words that must all occur, the last as a beginning")] = "",
    limit: Limit = 50,
    cursor: Annotated[str, Query(max_length=400)] = "",
) -> List[CaseLine]:
    """List cases, the newest first."""
    page = visit.seen.cases(CaseQuery(state, disposition, marking, priority, q), limit, cursor)
    return List(page.rows, page.next)
