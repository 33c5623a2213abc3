"""Accounts, for who administers them: nobody gives more than they have, or sees accounts above their clearance."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

from fastapi import Body, Path
from pydantic import ConfigDict, Field

from casemate.core.marking import Marking
from casemate.core.person import Right, Role, markings_up_to
from casemate.policy.roles import RIGHTS, rights_of
from casemate.store import Account, Token
from casemate.store.people import NAME
from casemate.web.api.answers import List
from casemate.web.doorkeeper import Asked, Visit
from casemate.web.passwords import hash_password, make_password
from casemate.web.problems import Refused

LONGEST_DAYS = 3650

PATTERN = f"^{NAME.pattern}$"
PersonName = Annotated[str, Path(pattern=PATTERN, max_length=64)]
TokenName = Annotated[str, Path(pattern=PATTERN, max_length=64)]
Named = Annotated[str, Field(pattern=PATTERN, max_length=64)]

Scope = StrEnum("Scope", {right.name: right.value for right in RIGHTS})  # type: ignore[misc]  # the one list of rights


@dataclass(frozen=True, slots=True)
class PersonGiven:
    """An account to be made; `password` false for a program, which comes with tokens only."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: Named
    role: Role
    clearance: Marking = Marking.AMBER
    password: bool = True


@dataclass(frozen=True, slots=True)
class PersonMade:
    """A new account, and its first password where it has one: shown this once, to be changed at the first sign-in."""

    account: Account
    password: str


@dataclass(frozen=True, slots=True)
class PersonChange:
    """What of an account becomes otherwise; what is left out stays."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    role: Role | None = None
    clearance: Marking | None = None
    disabled: bool | None = None


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A first password, shown this once."""

    password: str


@dataclass(frozen=True, slots=True)
class TokenGiven:
    """A token to be issued: its name, what it may be used for, and for how many days (for ever when left out)."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: Named
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=len(RIGHTS))]
    days: Annotated[int, Field(ge=1, le=LONGEST_DAYS)] | None = None


@dataclass(frozen=True, slots=True)
class TokenMade:
    """A new token; `value` is shown this once."""

    name: str
    value: str
    expires: datetime | None


def list_people(visit: Asked) -> List[Account]:
    """List the accounts up to your own clearance."""
    reached = markings_up_to(visit.person.clearance)
    return List(tuple(one for one in visit.store.people().accounts() if one.clearance in reached))


def show_person(visit: Asked, name: PersonName) -> Account:
    """Show an account."""
    return _account(visit, name)


def add_person(visit: Asked, given: Annotated[PersonGiven, Body()]) -> PersonMade:
    """Make an account, with no more rights and clearance than your own."""
    _check_gift(visit, given.role, given.clearance)
    password = make_password() if given.password else ""
    hashed = hash_password(password) if given.password else None
    visit.store.people().add(visit.person.name, given.name, given.role, given.clearance, hashed)
    return PersonMade(_account(visit, given.name), password)


def change_person(visit: Asked, name: PersonName, given: Annotated[PersonChange, Body()]) -> Account:
    """Change role or clearance, disable or enable; its sessions end. The last administrator stays one."""
    account = _account(visit, name)
    if given == PersonChange():
        return account
    if given.role is not None or given.clearance is not None or given.disabled is False:
        _check_gift(visit, given.role or account.role, given.clearance or account.clearance)
    visit.store.people().change(
        visit.person.name, account.name, role=given.role, clearance=given.clearance, disabled=given.disabled
    )
    return _account(visit, name)


def renew_password(visit: Asked, name: PersonName) -> NewPassword:
    """Set a new first password, which must be changed at the first sign-in; sessions end, a lock is taken off."""
    account = _account(visit, name)
    _check_gift(visit, account.role, account.clearance)
    password = make_password()
    visit.store.people().set_password(visit.person.name, account.name, hash_password(password), first=True)
    return NewPassword(password)


def end_sessions(visit: Asked, name: PersonName) -> None:
    """End every session of an account; tokens stay."""
    visit.store.people().end_sessions(visit.person.name, _account(visit, name).name)


def list_tokens(visit: Asked, name: PersonName) -> List[Token]:
    """List the tokens of an account, without their values."""
    return List(visit.store.people().tokens(_account(visit, name).name))


def issue_token(visit: Asked, name: PersonName, given: Annotated[TokenGiven, Body()]) -> TokenMade:
    """Issue a token with rights that both the account and you have."""
    account = _account(visit, name)
    scopes = frozenset(Right(scope.value) for scope in given.scopes)
    for right in sorted(scopes - rights_of(account.role)):
        raise Refused(403, f"{account.name} is a {account.role.value} and has no right `{right.value}`")
    _check_rights(visit, scopes)
    value = visit.store.people().add_token(visit.person.name, account.name, given.name, scopes, given.days)
    expires = None if given.days is None else datetime.now(UTC) + timedelta(days=given.days)
    return TokenMade(given.name, value, expires)


def revoke_token(visit: Asked, name: PersonName, token: TokenName) -> None:
    """Revoke a token."""
    account = _account(visit, name)
    if not any(one.name == token for one in visit.store.people().tokens(account.name)):
        raise Refused(404, "there is no such token")
    visit.store.people().remove_token(visit.person.name, account.name, token)


def _account(visit: Visit, name: str) -> Account:
    account = visit.store.people().find(name)
    if account is None or account.clearance not in markings_up_to(visit.person.clearance):
        raise Refused(404, "there is no such account")
    return account


def _check_gift(visit: Visit, role: Role, clearance: Marking) -> None:
    if clearance not in markings_up_to(visit.person.clearance):
        raise Refused(
            403,
            f"you may see up to {visit.person.clearance.label} and cannot let anybody see more",
            "ask an administrator with the clearance",
        )
    _check_rights(visit, rights_of(role))


def _check_rights(visit: Visit, rights: frozenset[Right]) -> None:
    # A token has fewer rights than its account: with one, nobody makes an account or a token that has more.
    missing = sorted(right.value for right in rights if not visit.person.may(right))
    if missing:
        raise Refused(
            403, f"you do not have the right `{missing[0]}` here and cannot give it", "sign in, or use another token"
        )
