"""casemate serve: the API, the pages and the workers in one process tree."""

import argparse
import logging
import os
import sys
from typing import TYPE_CHECKING

from casemate.cli.connect import add_connectors_option, check_connectors
from casemate.cli.home import STORE, actor, add_store_option, open_policy, open_store, store_url
from casemate.cli.terminal import tell
from casemate.core.errors import WrongUsage
from casemate.core.marking import Marking
from casemate.core.person import Role

if TYPE_CHECKING:
    from casemate.policy import Policy
    from casemate.store import Store
    from casemate.web.serving import Address

FIRST = "admin"
WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - compared with, never bound by default


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--host", default="127.0.0.1", metavar="HOST", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8080, metavar="PORT", help="port, 0 for a free one (default: 8080)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="worker processes, 0 for none (default: 1)")
    parser.add_argument("--model", metavar="NAME", default="none", help="language model of the workers (default: none)")
    parser.add_argument("--tls-cert", metavar="FILE", default="", help="certificate chain in PEM: serve HTTPS")
    parser.add_argument("--tls-key", metavar="FILE", default="", help="its key in PEM")
    parser.add_argument("--connect", action="store_true", help="also `casemate connect run`, as a process beside it")
    add_connectors_option(parser)
    add_store_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    from casemate.web.app import make_app
    from casemate.web.crew import Crew
    from casemate.web.oidc import check_ready
    from casemate.web.pages.render import compile_templates
    from casemate.web.serving import Address, listen, serve
    from casemate.web.site import Site

    if bool(arguments.tls_cert) != bool(arguments.tls_key):
        raise WrongUsage("--tls-cert and --tls-key go together", way_out="give both files or neither")
    url = store_url(arguments.store)
    if url == "none":
        raise WrongUsage("a service has to keep what it takes", way_out="give --store sqlite:///PATH or leave it out")
    policy = open_policy(arguments)
    check_ready(policy.oidc)
    if arguments.connect:
        check_connectors(arguments.connectors, policy)
    address = Address(arguments.host, arguments.port, arguments.tls_cert, arguments.tls_key, policy.trusted_proxies)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    with open_store(url, policy) as store:
        welcome(store, address)
        site = Site(store, policy, hosts_of(address, policy), secure=address.secure)
        opened = listen(address)
        app = make_app(site)
        compile_templates()
        crew = Crew(arguments.workers, _worker_options(arguments))
        site.figures.workers.set_function(crew.alive)
        os.environ[STORE] = (
            url  # what the workers open; a list of processes shows arguments, and a URL may hold a password
        )
        crew.start()
        connecting = Crew(int(arguments.connect), _connect_options(arguments), ("connect", "run"))
        connecting.start()
        try:
            serve(app, address, opened, _say_ready)
        finally:
            connecting.stop()
            crew.stop()
    return 0


def _connect_options(arguments: argparse.Namespace) -> list[str]:
    options = ["--connectors", arguments.connectors] if arguments.connectors else []
    return options + (["--policy", arguments.policy] if arguments.policy else [])


def _worker_options(arguments: argparse.Namespace) -> list[str]:
    options = ["--model", arguments.model]
    return options + (["--policy", arguments.policy] if arguments.policy else [])


def welcome(store: "Store", address: "Address") -> None:
    """Make the first account where there is none, on loopback only, and show its password once on standard error."""
    if store.people().accounts():
        return
    if not address.loopback:
        raise WrongUsage(
            "there is no account yet, and this address can be reached from elsewhere",
            way_out="make one first: `casemate user add NAME --role admin --clearance red`",
        )
    from casemate.web.passwords import hash_password, make_password

    password = make_password()
    store.people().add(actor(), FIRST, Role.ADMIN, Marking.RED, hash_password(password))
    tell(f"the first account is `{FIRST}` with the password {password}\n  sign in and change it; it is not shown again")


def hosts_of(address: "Address", policy: "Policy") -> tuple[str, ...]:
    """Name the hosts that are answered to: those of the policy, else loopback's or the bound one; none means any."""
    if policy.service_hosts:
        return policy.service_hosts
    if address.host in WILDCARDS:
        return ()
    return ("127.0.0.1", "localhost", "::1") if address.loopback else (address.host,)


def _say_ready(url: str) -> None:
    print(f"casemate serves on {url}", flush=True)
