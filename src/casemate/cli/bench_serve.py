"""casemate bench serve: how fast the engine serves, as ratios within one run."""

import argparse
from typing import Any

from casemate.cli.home import home, open_policy
from casemate.cli.terminal import Progress


def add_serve(names: "argparse._SubParsersAction[Any]") -> None:
    """Add the command."""
    text = "how fast the language model's engine serves, as ratios within one run"
    serve = names.add_parser("serve", help=text, description=text)
    serve.add_argument("--model", metavar="NAME", help="a stored model (default: the one in use)")
    serve.add_argument("--alerts", type=int, default=200, metavar="N", help="alerts in the queue (default: 200)")
    serve.add_argument(
        "--sample", type=int, default=20, metavar="N", help="so many of them one by one, too (default: 20)"
    )
    serve.add_argument("--pairs", type=int, default=8, metavar="N", help="pairs of each comparison (default: 8)")
    serve.add_argument("--slots", type=int, default=4, metavar="N", help="parallel slots of the queue (default: 4)")
    serve.add_argument("--policy", metavar="FILE", help="policy in TOML (default: $CASEMATE_POLICY, else built in)")
    serve.add_argument("--json", action="store_true", help="as JSON instead of a table")


def measure_serving(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure and return the report; `WrongUsage` for numbers that make no sense."""
    from casemate.bench.serve import Amount, measure_serve
    from casemate.core.errors import WrongUsage

    amount = Amount(arguments.alerts, arguments.sample, arguments.pairs, arguments.slots)
    if min(amount.alerts, amount.sample) < 2 or min(amount.pairs, amount.slots) < 1:
        raise WrongUsage("too little to measure", way_out="at least 2 alerts, a sample of 2, 1 pair and 1 slot")
    with Progress() as progress:
        return measure_serve(home(), arguments.model, open_policy(arguments), amount, progress)
