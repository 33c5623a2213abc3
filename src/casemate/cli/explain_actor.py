"""casemate explain actor: whom a description means, by canonical name, or the candidates."""

import argparse

from casemate.cli.home import open_policy
from casemate.cli.terminal import Progress

MOST_CHARS = 200_000
"""Characters of a text that are read; the rest of a longer one is not, and an issue says so."""


def add_actor(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from casemate.cli.drafts import add_draft_options

    parser.add_argument("given", metavar="TEXT|PATH|-", help="a description, a file that holds one, or standard input")
    add_draft_options(parser)


def explain_actor(arguments: argparse.Namespace, name: str, text: str) -> int:
    """Find whom the text means and show the draft."""
    from dataclasses import replace

    from casemate.cli.drafts import open_tools, show_draft
    from casemate.cli.home import open_knowledge
    from casemate.core.issue import Issue, Severity
    from casemate.core.marking import Marking
    from casemate.pipeline.drafting import draft
    from casemate.stages.retrieve.actors import KINDS, SpellingIndex, map_actors
    from casemate.tasks import actor

    policy = open_policy(arguments)
    marking = Marking(arguments.marking) if arguments.marking else policy.default_marking
    read = text[:MOST_CHARS]
    with open_tools(arguments, policy) as tools, open_knowledge() as knowledge, Progress() as progress:
        spelling = SpellingIndex(knowledge.aliases(KINDS))
        mentions = map_actors(read, knowledge, knowledge.pieces, spelling)
        material, texts = actor.build_material(read, name, mentions, tools.scanner.scan(read, 0), marking)
        made = draft(actor.TASK, material, tools, texts, seed=arguments.seed, progress=progress)
    if len(text) > MOST_CHARS:
        cut = Issue("text-cut", Severity.WARNING, f"only the first {MOST_CHARS:,} characters were read", name)
        made = replace(made, issues=(*made.issues, cut))
    show_draft(made, arguments.format, arguments.output)
    return 0
