from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from casemate.core.case import Case
from casemate.core.marking import Marking
from casemate.knowledge import Knowledge
from casemate.pipeline.tools import Tools
from casemate.pipeline.triage import Order, triage
from casemate.policy import Limits, Policy
from casemate.stages.extract.scanner import Scanner
from casemate.stages.generate.scripted import Answer, Scripted
from casemate.stages.ingest import find_sources
from casemate.store import Store

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

ToolsFor = Callable[..., Tools]


@pytest.fixture(scope="session")
def shelf(knowledge_file: Path) -> Iterator[Knowledge]:
    with Knowledge.open(knowledge_file) as opened:
        yield opened


@pytest.fixture(scope="session")
def tools_for(shelf: Knowledge) -> ToolsFor:
    """Give a function that makes tools with a scripted model (without answers: none) and limits."""
    scanner = Scanner()

    def make(*answers: Answer, limits: Limits | None = None) -> Tools:
        policy = Policy(limits=limits or Limits(prompt_tokens=6_000))
        return Tools(policy, shelf, scanner, Scripted(answers) if answers else None)

    return make


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory, tools_for: ToolsFor) -> Iterator[tuple[Store, Case]]:
    """Give a store with one case made of the examples."""
    folder = tmp_path_factory.mktemp("store")
    with Store.open(f"sqlite:///{folder}/casemate.sqlite") as store:
        paths = [str(EXAMPLES / name) for name in ("auth.log", "phish.eml", "cron-update.sh")]
        case = triage(find_sources(paths), Order(Marking.GREEN, "tester"), tools_for(), store).case
        yield store, case
