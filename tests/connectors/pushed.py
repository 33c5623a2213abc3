"""Closed cases to push, and the turn that pushes them."""

import threading
from dataclasses import replace
from datetime import timedelta

from casemate.audit import NewAuditEvent
from casemate.connectors.push.kinds import open_receiver
from casemate.connectors.push.pushing import Push
from casemate.connectors.settings import Outgoing
from casemate.core.case import Case, State
from casemate.core.marking import Marking
from casemate.policy import Limits, Policy
from casemate.store import Store
from tests.export.sample import sample
from tests.store.samples import NOW, reviewed


def put(
    store: Store, name: str, marking: Marking = Marking.GREEN, *, closed: bool = True, base: Case | None = None
) -> Case:
    draft = replace(base or sample()[0], id=name, marking=marking, reviews=(), state=State.DRAFT)
    store.save_case(draft, NewAuditEvent("casemate", "case.proposed", name))
    return review(store, name) if closed else draft


def review(store: Store, name: str, who: str = "Ada") -> Case:
    found = store.case_at(name)
    assert found is not None
    decided = reviewed(found[0], who)
    last = replace(decided.reviews[-1], time=NOW + timedelta(days=365 + len(decided.reviews)))
    decided = replace(decided, reviews=(*decided.reviews[:-1], last))
    store.add_review(decided, found[1], NewAuditEvent(who, "case.reviewed", name))
    return decided


def push(settings: Outgoing, store: Store, told: list[tuple[str, str, str]], limits: Limits | None = None) -> Push:
    bounds = limits or Limits(connector_seconds=60.0)
    receiver = open_receiver(settings, Policy(limits=bounds))
    return Push(settings, receiver, store, bounds, threading.Event(), lambda *what: told.append(what))
