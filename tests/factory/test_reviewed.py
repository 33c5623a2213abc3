import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from casemate.core.case import Decision, Review, State, Verdict
from casemate.core.marking import Marking
from casemate.factory.lessons_reviewed import make_reviewed, teach_case
from casemate.knowledge import Knowledge
from casemate.pipeline.tools import Tools
from casemate.pipeline.triage import Order, triage
from casemate.policy import Policy
from casemate.stages.extract.scanner import Scanner
from casemate.stages.ingest import find_sources
from casemate.store import Store

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_only_what_a_person_accepted_is_learnt(tmp_path: Path, knowledge_file: Path) -> None:
    file = tmp_path / "report.txt"
    lines = [f"The group used CVE-2021-4422{n} against the mail server number {n}." for n in range(6)]
    file.write_text("\n".join([*lines, "Mimikatz was run on the host after CVE-2021-44228."]) + "\n", "utf-8")
    policy = Policy(learn_from_reviews=True, specialists=())
    with Knowledge.open(knowledge_file) as knowledge, Store.open(f"sqlite:///{tmp_path}/c.sqlite") as store:
        tools = Tools(policy, knowledge, Scanner())
        case = triage(find_sources([str(file)]), Order(Marking.AMBER, "ada"), tools, store).case
        assert list(make_reviewed(store, policy, 1)) == [], "an open case teaches nothing"
        accepted = tuple(
            Decision(finding.id, Verdict.ACCEPTED, "ada", NOW) for finding in case.findings if finding.citations
        )
        closed = replace(case, state=State.CLOSED, reviews=(Review("ada", "analyst", NOW, accepted),))
        rejected = tuple(replace(one, verdict=Verdict.REJECTED) for one in accepted)
        refused = replace(case, state=State.CLOSED, reviews=(Review("ada", "analyst", NOW, rejected),))
        texts, scanner = store.texts_of(case.id), Scanner()
        assert teach_case(refused, texts, random.Random(1), scanner) is None
        made = teach_case(closed, texts, random.Random(1), scanner)
        assert made is None or (made.origin == case.id and made.task == "summary")
