"""casemate map actor: which actor, malware or tool a text means."""

import argparse
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from casemate.cli.home import open_knowledge

MOST_CHARS = 200_000
"""Characters of a text that are searched for names; the rest of a longer one is not, and the answer says so."""


def add_actor(_parser: argparse.ArgumentParser) -> None:
    """Add no options: the knowledge is all that is asked."""


def open_actor(_arguments: argparse.Namespace) -> Callable[[list[str]], list[dict[str, Any]]]:
    """Open the knowledge and give what answers texts."""
    from casemate.stages.retrieve.actors import KINDS, SpellingIndex, map_actors

    knowledge = open_knowledge()
    spelling = SpellingIndex(knowledge.aliases(KINDS))

    def answer(texts: list[str]) -> list[dict[str, Any]]:
        return [
            {
                "actors": [
                    asdict(mention) | {"name": mention.name or None, "attack_id": mention.attack_id or None}
                    for mention in map_actors(text[:MOST_CHARS], knowledge, knowledge.pieces, spelling)
                ],
                "cut": len(text) > MOST_CHARS,
            }
            for text in texts
        ]

    return answer
