"""People: the accounts, and one of them with its tokens; for who administers them."""

from typing import Annotated

from fastapi import Form, Request, Response
from starlette.responses import RedirectResponse

from casemate.core.marking import Marking
from casemate.core.person import Right, Role, markings_up_to
from casemate.policy.roles import rights_of
from casemate.store.people import NAME
from casemate.web.api import people
from casemate.web.api.people import LONGEST_DAYS, PersonChange, PersonGiven, PersonName, Scope, TokenGiven
from casemate.web.doorkeeper import Asked, Visit
from casemate.web.pages.render import render_page
from casemate.web.problems import Refused

Choice = Annotated[str, Form(max_length=64)]


def show_people(request: Request, visit: Asked) -> Response:
    """Show the accounts and the form for another one."""
    values = {"accounts": people.list_people(visit).items, **_choices(visit)}
    return render_page(request, "people", values)


def add_person(
    request: Request, visit: Asked, name: Choice = "", role: Choice = "", clearance: Choice = "", kind: Choice = ""
) -> Response:
    """Make an account and show its first password, this once."""
    if not NAME.fullmatch(name):
        raise Refused(400, "this is no name for an account", "letters, digits and . _ @ -, at most 64")
    given = PersonGiven(name, _role(role), _marking(clearance), kind != "program")
    made = people.add_person(visit, given)
    return _page(request, visit, made.account.name, ("first password", made.password) if made.password else None)


def show_person(request: Request, visit: Asked, name: PersonName) -> Response:
    """Show one account, its tokens, and the forms that change it."""
    return _page(request, visit, name, None)


def change_person(
    request: Request,
    visit: Asked,
    name: PersonName,
    do: Choice = "",
    role: Choice = "",
    clearance: Choice = "",
    disabled: Choice = "",
    token: Choice = "",
    scope: Annotated[list[str], Form(max_length=20)] = [],  # noqa: B006 - FastAPI copies what is given when a form has none
    days: Annotated[str, Form(max_length=5)] = "",
) -> Response:
    """Do what one of the forms says, and show the account again, with a secret where one was made."""
    secret = None
    if do == "change":
        people.change_person(visit, name, PersonChange(_role(role), _marking(clearance), bool(disabled)))
    elif do == "password":
        secret = ("first password", people.renew_password(visit, name).password)
    elif do == "sessions":
        people.end_sessions(visit, name)
    elif do == "token":
        secret = ("token", people.issue_token(visit, name, _token(token, scope, days)).value)
    elif do == "revoke":
        people.revoke_token(visit, name, token)
    else:
        raise Refused(400, "the form says something that cannot be done", "load the page again")
    if secret is None:
        return RedirectResponse(f"/people/{name}", 303)
    return _page(request, visit, name, secret)


def _page(request: Request, visit: Visit, name: str, secret: tuple[str, str] | None) -> Response:
    account = people.show_person(visit, name)
    values = {
        "account": account,
        "tokens": people.list_tokens(visit, name).items,
        "rights": sorted(right.value for right in rights_of(account.role) if visit.person.may(right)),
        "secret": secret,
        "longest": LONGEST_DAYS,
        **_choices(visit),
    }
    return render_page(request, "person", values)


def _choices(visit: Visit) -> dict[str, object]:
    return {"roles": list(Role), "markings": markings_up_to(visit.person.clearance), "Right": Right}


def _role(value: str) -> Role:
    if value not in set(Role):
        raise Refused(400, "there is no such role", "choose one of the list")
    return Role(value)


def _marking(value: str) -> Marking:
    if value not in set(Marking):
        raise Refused(400, "there is no such clearance", "choose one of the list")
    return Marking(value)


def _token(name: str, scopes: list[str], days: str) -> TokenGiven:
    if not NAME.fullmatch(name):
        raise Refused(400, "this is no name for a token", "letters, digits and . _ @ -, at most 64")
    if not scopes or not set(scopes) <= set(Scope):
        raise Refused(400, "a token needs rights", "choose at least one of the list")
    if days and not (days.isascii() and days.isdigit() and 1 <= int(days) <= LONGEST_DAYS):
        raise Refused(400, f"a token holds from 1 to {LONGEST_DAYS} days", "or for ever, when left empty")
    return TokenGiven(name, tuple(Scope(scope) for scope in dict.fromkeys(scopes)), int(days) if days else None)
