"""casemate map attack: which ATT&CK techniques a text shows, each with its sentence."""

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from casemate.cli.home import knowledge_path, open_knowledge
from casemate.cli.terminal import tell

if TYPE_CHECKING:
    from casemate.core.passage import Names


def add_attack(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--no-knowledge", action="store_true", help="estimate from the text alone, look nothing up")


def open_attack(arguments: argparse.Namespace) -> Callable[[list[str]], list[dict[str, Any]]]:
    """Open the specialist, and the knowledge where there is one, and give what answers texts."""
    from casemate.stages.classify.attack import TechniqueSpecialist
    from casemate.tasks.attack import map_attack

    specialist = TechniqueSpecialist.open(Path(arguments.weights) if arguments.weights else None, threads=2)
    knowledge: Names | None = None
    if not arguments.no_knowledge and knowledge_path().exists():
        knowledge = open_knowledge()
    elif not arguments.no_knowledge:
        tell("casemate: there is no knowledge; named techniques are known by id alone and no tool is looked up")

    def answer(texts: list[str]) -> list[dict[str, Any]]:
        return [asdict(map_attack(text, specialist, knowledge)) for text in texts]

    return answer
