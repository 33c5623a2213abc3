"""Every task that writes a draft, by its name."""

from collections.abc import Mapping

from casemate.tasks import actor, brief, compare, log, payload, summary
from casemate.tasks.case_question import asking as question
from casemate.tasks.relations import asking as relations
from casemate.tasks.task import Task
from casemate.tasks.vulnerability import asking as vulnerability

_MADE = (summary, brief, payload, log, vulnerability, actor, compare, question, relations)

TASKS: Mapping[str, Task] = {module.TASK.name: module.TASK for module in _MADE}
"""Name -> task; `triage`, `ask` from the knowledge and the specialists write no drafts and are not here."""
