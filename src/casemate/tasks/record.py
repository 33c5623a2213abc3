"""What a bundle records of a task: who puts it in force learns whether this program asks what was measured."""

import json
from collections.abc import Mapping, Sequence

from casemate.tasks.registry import TASKS
from casemate.tasks.task import Part, Task

_LIMITS = ("most", "enough", "rate")
"""Fields of a part that decide whether a model's sentences are shown."""


def record_of(task: Task) -> bytes:
    """Write down everything static that a model is given for a task, and how much of its answer has to hold."""
    parts = [{"instruction": one.instruction, "schema": one.schema, **_limits(one)} for one in task.parts]
    text = json.dumps({"task": task.name, "digest": task.digest, "parts": parts}, indent=1, ensure_ascii=False)
    return text.encode("utf-8") + b"\n"


def differing(records: Mapping[str, bytes]) -> tuple[str, ...]:
    """Name the tasks, of those that are recorded, which this program asks or judges in another way.

    A task that this program does not have is asked nothing and does not differ; a record that cannot be read does.
    """
    return tuple(name for name, data in records.items() if name in TASKS and not _is_record_of(TASKS[name], data))


def _limits(part: Part) -> dict[str, float]:
    return {name: getattr(part, name) for name in _LIMITS}


def _is_record_of(task: Task, data: bytes) -> bool:
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError):
        return False
    if not isinstance(raw, dict) or raw.get("digest") != task.digest:
        return False
    parts = raw.get("parts")
    return isinstance(parts, list) and len(parts) == len(task.parts) and _same_limits(parts, task.parts)


def _same_limits(recorded: Sequence[object], parts: Sequence[Part]) -> bool:
    """Compare what was recorded of the limits; bundles of before they were say nothing of them."""
    return all(
        isinstance(one, dict) and all(one.get(name, value) == value for name, value in _limits(part).items())
        for one, part in zip(recorded, parts, strict=True)
    )
