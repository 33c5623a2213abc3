"""casemate user: accounts and tokens of the service."""

import argparse
from collections.abc import Callable, Mapping

from casemate.cli.home import actor, add_store_option, open_policy, open_store
from casemate.cli.terminal import tell
from casemate.core.marking import Marking
from casemate.core.person import Right, Role
from casemate.policy.roles import RIGHTS


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    roles = [role.value for role in Role]
    markings = [marking.value for marking in Marking]
    scopes = [right.value for right in RIGHTS]

    add = actions.add_parser("add", help="make an account; its first password and a token are printed once")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--role", choices=roles, required=True)
    add.add_argument(
        "--clearance", choices=markings, default="amber", help="the strictest TLP marking they may see (default: amber)"
    )
    add.add_argument("--no-password", action="store_true", help="a program, not a person: tokens only")

    change = actions.add_parser("change", help="change role or clearance, disable or enable; their sessions end")
    change.add_argument("name", metavar="NAME")
    change.add_argument("--role", choices=roles)
    change.add_argument("--clearance", choices=markings)
    change.add_argument("--disable", dest="disabled", action="store_true", default=None)
    change.add_argument("--enable", dest="disabled", action="store_false", default=None)

    password = actions.add_parser("password", help="set a new first password and print it once")
    password.add_argument("name", metavar="NAME")

    token = actions.add_parser("token", help="make another token and print it once")
    token.add_argument("name", metavar="NAME")
    token.add_argument("--token", default="cli", metavar="LABEL", help="what the token is called (default: cli)")
    token.add_argument("--scope", nargs="+", choices=scopes, help="rights of the token (default: all of the role)")
    token.add_argument("--days", type=int, metavar="N", help="expires after so many days (default: never)")
    token.add_argument("--remove", action="store_true", help="remove it instead")

    listing = actions.add_parser("list", help="the accounts")
    for action in (add, change, password, token, listing):
        add_store_option(action)


def run(arguments: argparse.Namespace) -> int:
    """Do what the action says."""
    return _ACTIONS[arguments.action](arguments)


def _add(arguments: argparse.Namespace) -> int:
    from casemate.web.passwords import hash_password, make_password

    role, clearance = Role(arguments.role), Marking(arguments.clearance)
    password = None if arguments.no_password else make_password()
    with open_store(arguments.store, open_policy(arguments)) as store:
        hashed = None if password is None else hash_password(password)
        store.people().add(actor(), arguments.name, role, clearance, hashed)
        token = store.people().add_token(actor(), arguments.name, "first", RIGHTS)
    if password is not None:
        print(f"password {password}")
    print(f"token {token}")
    tell("these are not shown again; a first password must be changed at the first sign-in")
    return 0


def _change(arguments: argparse.Namespace) -> int:
    role = Role(arguments.role) if arguments.role else None
    clearance = Marking(arguments.clearance) if arguments.clearance else None
    with open_store(arguments.store, open_policy(arguments)) as store:
        store.people().change(actor(), arguments.name, role=role, clearance=clearance, disabled=arguments.disabled)
    return 0


def _password(arguments: argparse.Namespace) -> int:
    from casemate.web.passwords import hash_password, make_password

    password = make_password()
    with open_store(arguments.store, open_policy(arguments)) as store:
        store.people().set_password(actor(), arguments.name, hash_password(password), first=True)
    print(f"password {password}")
    return 0


def _token(arguments: argparse.Namespace) -> int:
    with open_store(arguments.store, open_policy(arguments)) as store:
        people = store.people()
        if arguments.remove:
            people.remove_token(actor(), arguments.name, arguments.token)
            return 0
        scopes = [Right(scope) for scope in arguments.scope or RIGHTS]
        print(f"token {people.add_token(actor(), arguments.name, arguments.token, scopes, arguments.days)}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    with open_store(arguments.store, open_policy(arguments)) as store:
        accounts = store.people().accounts()
    for account in accounts:
        state = "disabled" if account.disabled else "enabled"
        print(f"{account.name:24} {account.role.value:10} {account.clearance.label:18} {state}")
    return 0


_ACTIONS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "add": _add,
    "change": _change,
    "password": _password,
    "token": _token,
    "list": _list,
}
