"""Tell which entries of different sources are about the same actor, malware or tool."""

from casemate.core.passage import Entry
from casemate.knowledge.folding import fold_name

_SAME = frozenset({"similar", "same-as"})
_TWICE = frozenset({"microsoft-activity-group"})
"""Sources that list one thing twice: this one holds both of Microsoft's naming schemes, elements and weather."""
_ALIKE = {"malware": "software", "tool": "software"}


def group_entries(entries: tuple[Entry, ...]) -> tuple[tuple[Entry, ...], ...]:
    """Group entries that are the same thing; the order of entries, and of the first of each group, is kept.

    Two entries are joined when they are alike in kind and one links to the other as similar, or both have the same
    canonical name, or each bears the other's. No group holds two entries of one source: a source that lists two things
    means two things (but see `_TWICE`).
    """
    groups: list[list[Entry]] = []
    for entry in entries:
        for group in groups:
            sources = {member.fact("source") for member in group} - _TWICE
            if entry.fact("source") not in sources and any(_same(entry, member) for member in group):
                group.append(entry)
                break
        else:
            groups.append([entry])
    return tuple(tuple(group) for group in groups)


def _same(one: Entry, other: Entry) -> bool:
    if _ALIKE.get(one.kind, one.kind) != _ALIKE.get(other.kind, other.kind):
        return False
    if any(relation in _SAME and target == other.id for relation, target in one.links):
        return True
    if any(relation in _SAME and target == one.id for relation, target in other.links):
        return True
    first, second = fold_name(one.name), fold_name(other.name)
    if first == second:
        return True
    return first in map(fold_name, other.names) and second in map(fold_name, one.names)
