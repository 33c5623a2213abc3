"""Accounts, sessions and tokens; secrets are kept as digests only."""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from casemate.audit import NewAuditEvent
from casemate.audit.chain import write_time
from casemate.core.digest import digest_bytes
from casemate.core.errors import InConflict, WrongUsage
from casemate.core.marking import Marking
from casemate.core.person import Person, Right, Role
from casemate.policy.roles import rights_of
from casemate.store.ledger import Ledger
from casemate.store.tables import people, sessions, tokens

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
MACHINE = "casemate"
TOKEN_PREFIX = "cm_"  # noqa: S105 - what tokens begin with, so that a scanner for leaked secrets knows one

ROTATE_AFTER = timedelta(minutes=30)
IDLE = timedelta(hours=8)
LONGEST = timedelta(hours=24)
GRACE = timedelta(seconds=60)
"""How long the value before a rotation still holds, for requests that were under way."""

TRIES = 5
LOCKED = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Account:
    """One account as an administrator sees it."""

    name: str
    role: Role
    clearance: Marking
    disabled: bool
    created: datetime
    locked_until: datetime | None


@dataclass(frozen=True, slots=True)
class Token:
    """One token as an administrator sees it; its value is kept nowhere."""

    name: str
    scopes: tuple[Right, ...]
    created: datetime
    expires: datetime | None


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in person; `form_key` is what forms send back; `fresh` is a new cookie value when it was rotated."""

    person: Person
    form_key: str
    fresh: str = ""


class People:
    """Who may come in."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    # Accounts

    def add(self, actor: str, name: str, role: Role, clearance: Marking, password: str | None) -> None:
        """Make an account whose first password must be changed; `password` is its argon2 hash, None for tokens only.

        `InConflict` for a name that is taken, in letters of any case, `WrongUsage` for what is none.
        """
        if not NAME.fullmatch(name) or name.casefold() == MACHINE:
            raise WrongUsage(f"{name!r} is no name for an account", way_out="letters, digits and . _ @ -, at most 64")
        with self._ledger.changing() as change:
            same = func.lower(people.c.name) == name.lower()
            if change.connection.execute(select(people.c.number).where(same)).first() is not None:
                raise InConflict(f"there is an account {name} already", way_out="choose another name")
            row = {
                "name": name,
                "role": role.value,
                "clearance": clearance.value,
                "password": password,
                "must_change": int(password is not None),
                "disabled": 0,
                "created": write_time(change.now),
                "failures": 0,
            }
            change.connection.execute(insert(people).values(row))
            body = (("role", role.value), ("clearance", clearance.value))
            change.tell(NewAuditEvent(actor, "person.added", name, body))

    def accounts(self) -> tuple[Account, ...]:
        """List the accounts by name."""
        with self._ledger.database.reading() as connection:
            rows = connection.execute(select(people).order_by(people.c.name)).all()
        return tuple(_account(row) for row in rows)

    def find(self, name: str) -> Account | None:
        """Find an account by its name, in letters of any case."""
        if not NAME.fullmatch(name):
            return None
        with self._ledger.database.reading() as connection:
            row = connection.execute(select(people).where(func.lower(people.c.name) == name.lower())).one_or_none()
        return None if row is None else _account(row)

    def change(
        self,
        actor: str,
        name: str,
        *,
        role: Role | None = None,
        clearance: Marking | None = None,
        disabled: bool | None = None,
    ) -> None:
        """Change what an account may do; its sessions end, so that nobody goes on with what they no longer have.

        `InConflict` when nobody would be left who administers the accounts.
        """
        values: dict[str, object] = {}
        if role is not None:
            values["role"] = role.value
        if clearance is not None:
            values["clearance"] = clearance.value
        if disabled is not None:
            values["disabled"] = int(disabled)
        with self._ledger.changing() as change:
            number = _number(change.connection, name)
            if disabled or (role is not None and role is not Role.ADMIN):
                keep_an_admin(change.connection, number)
            if values:
                change.connection.execute(update(people).where(people.c.number == number).values(values))
            change.connection.execute(delete(sessions).where(sessions.c.person == number))
            body = tuple((key, str(value)) for key, value in sorted(values.items()))
            change.tell(NewAuditEvent(actor, "person.changed", name, body))

    def end_sessions(self, actor: str, name: str) -> None:
        """End every session of an account; its tokens stay."""
        with self._ledger.changing() as change:
            number = _number(change.connection, name)
            change.connection.execute(delete(sessions).where(sessions.c.person == number))
            change.tell(NewAuditEvent(actor, "person.sessions-ended", name))

    def set_password(self, actor: str, name: str, password: str, *, first: bool) -> None:
        """Set a password (its argon2 hash); `first` is one that must be changed. All sessions of the person end."""
        with self._ledger.changing() as change:
            number = _number(change.connection, name)
            values = {"password": password, "must_change": int(first), "failures": 0, "locked_until": None}
            change.connection.execute(update(people).where(people.c.number == number).values(values))
            change.connection.execute(delete(sessions).where(sessions.c.person == number))
            change.tell(NewAuditEvent(actor, "person.password-set", name))

    def password_of(self, name: str) -> tuple[str | None, datetime | None]:
        """Give the hash of an account's password and until when it is locked; (None, None) where there is none."""
        with self._ledger.database.reading() as connection:
            row = connection.execute(
                select(people.c.password, people.c.locked_until).where(people.c.name == name, people.c.disabled == 0)
            ).one_or_none()
        if row is None:
            return None, None
        return row.password, None if row.locked_until is None else datetime.fromisoformat(row.locked_until)

    def failed(self, name: str) -> None:
        """Count a wrong password; after so many the account is locked for a while."""
        with self._ledger.changing() as change:
            row = change.connection.execute(
                select(people.c.number, people.c.failures).where(people.c.name == name)
            ).one_or_none()
            if row is None:
                return
            failures = row.failures + 1
            values: dict[str, object] = {"failures": failures}
            if failures >= TRIES:
                values = {"failures": 0, "locked_until": write_time(change.now + LOCKED)}
                change.tell(NewAuditEvent(MACHINE, "person.locked", name))
            change.connection.execute(update(people).where(people.c.number == row.number).values(values))

    # Sessions

    def sign_in(self, name: str, ended: str = "") -> tuple[str, Session]:
        """Begin a session for a person whose password was checked; gives the value of its cookie.

        `ended` is the cookie that the browser came with: that session ends, whoever's it was. `WrongUsage` when the
        account is gone or disabled by now.
        """
        value = secrets.token_urlsafe(32)
        with self._ledger.changing() as change:
            row = change.connection.execute(
                select(people).where(people.c.name == name, people.c.disabled == 0)
            ).one_or_none()
            if row is None:
                raise WrongUsage(f"there is no account {name} to sign in to", way_out="ask an administrator")
            if ended:
                digest = digest_bytes(ended.encode("utf-8", "replace"))
                change.connection.execute(delete(sessions).where(sessions.c.digest == digest))
            now = write_time(change.now)
            old = write_time(change.now - LONGEST)
            change.connection.execute(delete(sessions).where(sessions.c.begun < old))
            change.connection.execute(
                update(people).where(people.c.number == row.number).values(failures=0, locked_until=None)
            )
            made = {
                "digest": digest_bytes(value.encode()),
                "person": row.number,
                "form_key": secrets.token_urlsafe(24),
                "begun": now,
                "rotated": now,
                "seen": now,
            }
            change.connection.execute(insert(sessions).values(made))
            change.tell(NewAuditEvent(name, "person.signed-in", name))
        return value, Session(_person(row), str(made["form_key"]))

    def session(self, value: str) -> Session | None:
        """Find the session of a cookie; one that is too old, idle too long or of a disabled account is none.

        Every half hour the value changes; `Session.fresh` is then the one to set, the old one holds for a minute more.
        """
        digest = digest_bytes(value.encode("utf-8", "replace"))
        now = self._ledger.clock()
        with self._ledger.database.reading() as connection:
            row = connection.execute(
                select(people, sessions.c.form_key, sessions.c.begun, sessions.c.rotated, sessions.c.seen)
                .join(sessions, sessions.c.person == people.c.number)
                .where(sessions.c.digest == digest, people.c.disabled == 0)
            ).one_or_none()
        if row is None or row.begun < write_time(now - LONGEST) or row.seen < write_time(now - IDLE):
            return None
        fresh = ""
        if row.rotated < write_time(now - ROTATE_AFTER):
            fresh = self._rotate(digest, row)
        elif row.seen < write_time(now - timedelta(minutes=1)):
            with self._ledger.database.writing() as connection:
                connection.execute(update(sessions).where(sessions.c.digest == digest).values(seen=write_time(now)))
        return Session(_person(row), row.form_key, fresh)

    def _rotate(self, digest: str, row: Row[Any]) -> str:
        value = secrets.token_urlsafe(32)
        now = self._ledger.clock()
        made = {
            "digest": digest_bytes(value.encode()),
            "person": row.number,
            "form_key": row.form_key,
            "begun": row.begun,
            "rotated": write_time(now),
            "seen": write_time(now),
        }
        with self._ledger.database.writing() as connection:
            # The old value dies within a minute: requests that were under way still carry it.
            expiring = {"begun": write_time(now - LONGEST + GRACE), "rotated": write_time(now)}
            changed = connection.execute(
                update(sessions).where(sessions.c.digest == digest, sessions.c.rotated == row.rotated).values(expiring)
            )
            if changed.rowcount != 1:
                return ""  # another request rotated it just now
            connection.execute(insert(sessions).values(made))
        return value

    def sign_out(self, value: str, name: str) -> None:
        """End a session."""
        with self._ledger.changing() as change:
            digest = digest_bytes(value.encode("utf-8", "replace"))
            change.connection.execute(delete(sessions).where(sessions.c.digest == digest))
            change.tell(NewAuditEvent(name, "person.signed-out", name))

    # Tokens

    def add_token(self, actor: str, name: str, token: str, scopes: Iterable[Right], days: int | None = None) -> str:
        """Make a token for a person and give its value, which is kept nowhere; `InConflict` when the name is taken."""
        if not NAME.fullmatch(token):
            raise WrongUsage(f"{token!r} is no name for a token", way_out="letters, digits and . _ @ -, at most 64")
        value = TOKEN_PREFIX + secrets.token_urlsafe(32)
        named = " ".join(sorted(scope.value for scope in scopes))
        with self._ledger.changing() as change:
            number = _number(change.connection, name)
            same = select(tokens.c.digest).where(tokens.c.person == number, tokens.c.name == token)
            if change.connection.execute(same).first() is not None:
                raise InConflict(f"{name} has a token {token} already", way_out="name the token otherwise")
            row = {
                "digest": digest_bytes(value.encode()),
                "person": number,
                "name": token,
                "scopes": named,
                "created": write_time(change.now),
                "expires": None if days is None else write_time(change.now + timedelta(days=days)),
            }
            change.connection.execute(insert(tokens).values(row))
            change.tell(NewAuditEvent(actor, "token.added", name, (("token", token), ("scopes", named))))
        return value

    def tokens(self, name: str) -> tuple[Token, ...]:
        """List the tokens of an account by name."""
        query = select(tokens).join(people, people.c.number == tokens.c.person).where(people.c.name == name)
        with self._ledger.database.reading() as connection:
            rows = connection.execute(query.order_by(tokens.c.name)).all()
        return tuple(
            Token(
                row.name,
                tuple(Right(scope) for scope in row.scopes.split()),
                datetime.fromisoformat(row.created),
                None if row.expires is None else datetime.fromisoformat(row.expires),
            )
            for row in rows
        )

    def remove_token(self, actor: str, name: str, token: str) -> None:
        """Remove a token; `WrongUsage` when there is none of that name."""
        with self._ledger.changing() as change:
            number = _number(change.connection, name)
            gone = change.connection.execute(delete(tokens).where(tokens.c.person == number, tokens.c.name == token))
            if gone.rowcount != 1:
                raise WrongUsage(f"{name} has no token {token}", way_out="`casemate user list` names the accounts")
            change.tell(NewAuditEvent(actor, "token.removed", name, (("token", token),)))

    def bearer(self, value: str) -> Person | None:
        """Find the person of a token; None for an unknown or expired one, or a disabled account."""
        with self._ledger.database.reading() as connection:
            row = connection.execute(
                select(people, tokens.c.name.label("token"), tokens.c.scopes, tokens.c.expires)
                .join(tokens, tokens.c.person == people.c.number)
                .where(tokens.c.digest == digest_bytes(value.encode("utf-8", "replace")), people.c.disabled == 0)
            ).one_or_none()
        if row is None or (row.expires is not None and row.expires < write_time(self._ledger.clock())):
            return None
        return _person(row, row.scopes.split(), row.token)


def _number(connection: Connection, name: str) -> int:
    number = connection.execute(select(people.c.number).where(people.c.name == name)).scalar()
    if number is None:
        raise WrongUsage(f"there is no account {name}", way_out="`casemate user list` names the accounts")
    return int(number)


def keep_an_admin(connection: Connection, number: int) -> None:
    """Refuse (`InConflict`) to take the role from the last enabled administrator."""
    # Locked until the transaction ends, so that two administrators cannot demote each other at the same time.
    held = select(people.c.number).where(people.c.role == Role.ADMIN.value, people.c.disabled == 0)
    admins = connection.execute(held.with_for_update()).scalars().all()
    if list(admins) == [number]:
        raise InConflict(
            "this is the last account that administers the others", way_out="make another administrator first"
        )


def _account(row: Row[Any]) -> Account:
    return Account(
        row.name,
        Role(row.role),
        Marking(row.clearance),
        bool(row.disabled),
        datetime.fromisoformat(row.created),
        None if row.locked_until is None else datetime.fromisoformat(row.locked_until),
    )


def _person(row: Row[Any], scopes: Iterable[str] | None = None, token: str = "") -> Person:
    role = Role(row.role)
    must_change = bool(row.must_change) and not token
    return Person(row.name, role, Marking(row.clearance), rights_of(role, scopes), must_change, token)
