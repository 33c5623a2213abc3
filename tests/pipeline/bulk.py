"""What the tests of bulk runs share: real inputs, and everything of a store that does not depend on the clock."""

import json
from pathlib import Path
from typing import Any

from casemate.core.digest import Digest
from casemate.pipeline.reading import edition_of
from casemate.pipeline.tools import Tools
from casemate.store import Store, case_to_json

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
OURS = ("auth.log", "phish.eml", "access.log", "cron-update.sh", "README.md")
REAL = (
    "ioc/iocsearcher_tests_mit.tar.gz",
    "ioc/unit42_articles.tar.gz",
    "knowledge/attack_to_cve/AttackToCveMappings.csv",
    "cti-bench-sample/cti-ate.tsv",
    "cti-bench-sample/cti-mcq.tsv",
    "logs/otrf_metadata.tar.gz",
    "logs/sigma_regression_json.tar.gz",
    "techniques/procedures_ics-attack.jsonl.gz",
    "techniques/LICENSE.tram",
)


def real_paths(shared_data: Path, folder: Path) -> list[str]:
    """Name 14 real files of many formats, one that is not what it says, one that is not there, and one again."""
    broken = folder / "broken.zip"
    broken.write_bytes(b"PK\x03\x04" + bytes(range(256)))
    named = [*(EXAMPLES / name for name in OURS), *(shared_data / name for name in REAL), broken]
    return [*map(str, named), str(folder / "not-there.log"), str(EXAMPLES / OURS[0])]


def timeless(value: Any) -> Any:
    """Leave out of a case when it was made and how long that took."""
    if isinstance(value, dict):
        gone = {"created", "received", "seconds"}
        return {name: timeless(one) for name, one in value.items() if name not in gone}
    return [timeless(one) for one in value] if isinstance(value, list) else value


def contents(store: Store, ids: list[str], tools: Tools) -> list[Any]:
    """Give every field of these cases but times, and the whole texts that they were made from, in their order."""
    texts = store.texts(edition_of(tools))
    found = []
    for name in ids:
        case = store.case(name)
        assert case is not None
        whole = {
            one.id: [(chunk.text, chunk.pieces) for chunk in texts.chunks(Digest(one.id))] for one in case.evidence
        }
        found.append((timeless(json.loads(case_to_json(case))), whole))
    return found
