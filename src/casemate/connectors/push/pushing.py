"""Giving reviewed cases out: only closed ones, only up to a marking, each edition once, and every try written down."""

import threading

from casemate.connectors.feed import Tell
from casemate.connectors.push.parcel import Parcel, PushRefused, Receiver
from casemate.connectors.settings import Outgoing
from casemate.core.errors import RefusedByPolicy, WrongUsage
from casemate.core.marking import Marking
from casemate.core.person import markings_up_to
from casemate.core.plain import plain
from casemate.policy import Limits
from casemate.store import Store
from casemate.store.pushes import DONE, Due

AT_ONCE = 50
FIRST_PAUSE = 30.0


class Push:
    """One receiver with what it has been given."""

    def __init__(
        self,
        settings: Outgoing,
        receiver: Receiver,
        store: Store,
        limits: Limits,
        stopping: threading.Event,
        tell: Tell,
    ) -> None:
        self.name = settings.name
        self.every = settings.every
        self._settings = settings
        self._receiver = receiver
        self._store = store
        self._limits = limits
        self._stopping = stopping
        self._tell = tell

    def round(self) -> None:
        """Give every case that is due; a receiver that takes nothing at the moment ends the round as a failure."""
        while not self._stopping.is_set():
            due = self.due()
            for one in due:
                if self._stopping.is_set():
                    return
                self._give(one)
            if len(due) < AT_ONCE:
                return

    def due(self) -> tuple[Due, ...]:
        """List what is due."""
        markings = markings_up_to(self._settings.up_to)
        return self._store.pushes().due(self.name, markings, self._settings.dispositions, AT_ONCE)

    def close(self) -> None:
        """Let go of the receiver."""
        self._receiver.close()

    def give_now(self, case_id: str) -> bool:
        """Give one case now, also one that was given up before; true when the receiver has this edition in the end.

        `WrongUsage` for a case that is not there, `RefusedByPolicy` for one that may not go out.
        """
        edition = self._store.pushes().edition(case_id)
        case = self._store.case(case_id)
        if edition is None or case is None:
            raise WrongUsage(f"there is no case {plain(case_id)}", way_out="`casemate case list` shows the cases")
        if not case.reviewed:
            raise RefusedByPolicy(f"case {case.id} is a proposal", way_out="a person closes it first")
        if case.marking not in markings_up_to(self._settings.up_to):
            raise RefusedByPolicy(
                f"case {case.id} is {case.marking.label}, and out.{self.name} takes up to {self._settings.up_to.label}",
                way_out="set up_to of the connector, if the marking allows it",
            )
        earlier = [one for one in self._store.pushes().of(self.name, case_id) if one.edition == edition]
        if any(one.state == DONE for one in earlier):
            self._tell(self.name, "has-it", plain(f"case {case_id} is there already in this edition"))
            return True
        self._give(Due(case_id, edition, earlier[-1].attempts if earlier else 0))
        return any(one.state == DONE for one in self._store.pushes().of(self.name, case_id) if one.edition == edition)

    def _give(self, due: Due) -> None:
        found = self._store.case_at(due.case)
        if found is None or self._store.pushes().edition(due.case) != due.edition:
            return  # decided anew meanwhile: that edition is due
        case, revision = found
        if not case.reviewed or not _within(case.marking, self._settings.up_to):
            return
        parcel = Parcel(case, due.edition, revision, self._store.texts_of(case.id))
        try:
            given = self._receiver.give(parcel)
        except PushRefused as error:
            final = due.attempts + 1 >= self._limits.push_attempts
            pause = min(FIRST_PAUSE * 2**due.attempts, 24 * 3600.0)
            self._store.pushes().failed(self.name, due, error.message, pause=pause, final=final)
            word = "given-up" if final else "not-taken"
            self._tell(self.name, word, plain(f"case {due.case}: {error.message} ({error.way_out})"))
            return
        body = (("sent-sha256", str(given.sent)), ("marking", case.marking.value))
        self._store.pushes().done(self.name, due, given.reference, body)
        self._tell(self.name, "given", plain(f"case {due.case} as {given.reference}"))


def _within(marking: Marking, most: Marking) -> bool:
    return marking in markings_up_to(most)
