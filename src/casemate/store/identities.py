"""Sign-in by an outside issuer: who is under way, and which account belongs to which of its subjects."""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, insert, select, update

from casemate.audit import NewAuditEvent
from casemate.audit.chain import write_time
from casemate.core.digest import digest_bytes
from casemate.core.errors import InConflict, RefusedByPolicy
from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.store.ledger import Change, Ledger
from casemate.store.people import MACHINE, NAME, keep_an_admin
from casemate.store.tables import identities, pending_sign_ins, people, sessions

SUBJECT_CHARS = 255
"""OpenID Connect Core 1.0, section 2: `sub` must not exceed 255 characters."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in that is under way: what the browser holds, what the issuer is told, and which page was wanted."""

    state: str
    browser: str
    nonce: str
    verifier: str
    wanted: str


@dataclass(frozen=True, slots=True)
class Vouched:
    """What an issuer vouches for, and what the policy makes of it."""

    issuer: str
    subject: str
    name: str
    role: Role
    clearance: Marking


class Identities:
    """Who comes in by an issuer."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def begin(self, wanted: str, seconds: float) -> Pending:
        """Begin a sign-in that holds for so many seconds; those that are older are forgotten."""
        state, browser, nonce, verifier = (secrets.token_urlsafe(size) for size in (32, 32, 32, 48))
        made = Pending(state, browser, nonce, verifier, wanted)
        now = self._ledger.clock()
        row = {
            "state": digest_bytes(made.state.encode()),
            "browser": digest_bytes(made.browser.encode()),
            "nonce": made.nonce,
            "verifier": made.verifier,
            "wanted": wanted,
            "begun": write_time(now),
        }
        with self._ledger.database.writing() as connection:
            old = write_time(now - timedelta(seconds=seconds))
            connection.execute(delete(pending_sign_ins).where(pending_sign_ins.c.begun < old))
            connection.execute(insert(pending_sign_ins).values(row))
        return made

    def take(self, state: str, browser: str, seconds: float) -> Pending | None:
        """Take a sign-in that comes back, once; None when it is unknown, too old, or began in another browser."""
        key = digest_bytes(state.encode("utf-8", "replace"))
        same = pending_sign_ins.c.state == key
        with self._ledger.database.writing() as connection:
            row = connection.execute(select(pending_sign_ins).where(same).with_for_update()).one_or_none()
            gone = connection.execute(delete(pending_sign_ins).where(same)).rowcount
        if row is None or gone != 1:
            return None
        fresh = row.begun >= write_time(self._ledger.clock() - timedelta(seconds=seconds))
        if not fresh or row.browser != digest_bytes(browser.encode("utf-8", "replace")):
            return None
        return Pending(state, browser, row.nonce, row.verifier, row.wanted)

    def enter(self, vouched: Vouched) -> str:
        """Give the name of the account of a subject, made at its first sign-in; role and clearance become as vouched.

        `RefusedByPolicy` for an account that is disabled or locked, or a name that cannot be one; `InConflict` when the
        name is somebody else's, or when the last administrator would lose that role.
        """
        with self._ledger.changing() as change:
            row = change.connection.execute(
                select(people)
                .join(identities, identities.c.person == people.c.number)
                .where(identities.c.issuer == vouched.issuer, identities.c.subject == vouched.subject)
            ).one_or_none()
            if row is None:
                return _make(change, vouched)
            if row.disabled or (row.locked_until is not None and row.locked_until > write_time(change.now)):
                raise RefusedByPolicy(f"the account {row.name} is disabled or locked", way_out="ask an administrator")
            if (row.role, row.clearance) != (vouched.role.value, vouched.clearance.value):
                if vouched.role is not Role.ADMIN:
                    keep_an_admin(change.connection, row.number)
                values = {"role": vouched.role.value, "clearance": vouched.clearance.value}
                change.connection.execute(update(people).where(people.c.number == row.number).values(values))
                change.connection.execute(delete(sessions).where(sessions.c.person == row.number))
                change.tell(NewAuditEvent(MACHINE, "person.changed", row.name, _told(vouched)))
            return str(row.name)


def _make(change: Change, vouched: Vouched) -> str:
    name = vouched.name
    if not NAME.fullmatch(name) or name.casefold() == MACHINE:
        raise RefusedByPolicy("the issuer gives a name that no account can have", way_out="ask an administrator")
    # Whoever may choose a name at the issuer must not become somebody who has that name here.
    if change.connection.execute(select(people.c.number).where(func.lower(people.c.name) == name.lower())).first():
        raise InConflict(
            f"there is an account {name} here already, and it is not the issuer's", way_out="ask an administrator"
        )
    row = {
        "name": name,
        "role": vouched.role.value,
        "clearance": vouched.clearance.value,
        "password": None,
        "must_change": 0,
        "disabled": 0,
        "created": write_time(change.now),
        "failures": 0,
    }
    key = change.connection.execute(insert(people).values(row)).inserted_primary_key
    assert key is not None
    link = {"issuer": vouched.issuer, "subject": vouched.subject, "person": int(key[0])}
    change.connection.execute(insert(identities).values(link))
    change.tell(NewAuditEvent(MACHINE, "person.added", name, _told(vouched)))
    return name


def _told(vouched: Vouched) -> tuple[tuple[str, str], ...]:
    return (("role", vouched.role.value), ("clearance", vouched.clearance.value), ("issuer", vouched.issuer))
