"""Every task that writes a draft, by its name."""

from collections.abc import Mapping

from casemate.tasks import brief, log, payload, summary
from casemate.tasks.task import Task

TASKS: Mapping[str, Task] = {one.name: one for one in (summary.TASK, brief.TASK, payload.TASK, log.TASK)}
"""Name -> task; `triage`, `ask` from the knowledge and the specialists write no drafts and are not here."""
