"""casemate worker: one more worker for the jobs of a service."""

import argparse

from casemate.cli.home import add_store_option


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--model", metavar="NAME", default="none", help="language model (default: none)")
    add_store_option(parser)
