import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from casemate.core.errors import RefusedByPolicy, WrongUsage
from casemate.factory.corpus import CorpusJob, make_corpus
from casemate.factory.corpus_files import read_manifest
from casemate.factory.lessons import read_lessons
from casemate.factory.lessons_reviewed import make_reviewed
from casemate.factory.recipe import BaseModel, Lora, Recipe, Schedule
from casemate.knowledge import Knowledge
from casemate.policy import Policy
from casemate.store import Store

NOTES = """\
{year}-0{month}-01 (MONDAY): EXAMPLE MALWARE NUMBER {n}

NOTES:

- The mail number {n} pretended to come from the tax office of Sample City.
- File name: invoice-{n}47.iso
- File description: Disk image number {n} that holds the installer of Example Loader
- Run method: rundll32.exe part{n}.dll,Start
- 203.0.113[.]{n} port 443 - evil{n}name[.]com - HTTPS traffic
"""
WEAK = [
    (
        "CWE-79",
        "Cross-site scripting in the {word} page of {name} before {n}.2 lets remote attackers inject script code",
    ),
    ("CWE-89", "SQL injection in the {word} form of {name} {n}.0 allows attackers to read the database by a parameter"),
    (
        "CWE-787",
        "A heap overflow in the {word} parser of {name} {n}.1 allows code execution through a crafted image file",
    ),
]
WORDS = ["login", "search", "profile", "upload", "export", "report", "billing", "archive", "calendar", "message"]


def recipe(**lessons: int) -> Recipe:
    held = {name: max(1, count // 4) for name, count in lessons.items()}
    return Recipe(
        "t", BaseModel("m", "chatml"), Lora(2, 4), Schedule(1e-3, 2, 2, 1, 900), lessons=lessons, held=held, seed=5
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for name in ("ioc", "cve"):
        (folder / name).mkdir(parents=True)
    with tarfile.open(folder / "ioc" / "unit42_timely_gpl3.tar.gz", "w:gz") as archive:
        for n in range(1, 31):
            body = NOTES.format(n=n, year=2020 + n % 5, month=1 + n % 9).encode()
            member = tarfile.TarInfo(f"report-{n}.txt")
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    rows = []
    for n in range(120):
        cwe, text = WEAK[n % 3]
        told = text.format(word=WORDS[n % 10], name=f"Product{n}Name", n=n)
        rows.append(
            {
                "cve": f"CVE-{2020 + n % 5}-{1000 + n}",
                "description": told,
                "cwe": [cwe],
                "cwe_primary": cwe,
                "cwe_source": "nvd",
                "published": "2022-01-01",
            }
        )
    for name, held in (
        ("cve_cwe_train", rows),
        ("cve_cvss_train", []),
        ("nvd2021_extra", []),
        ("mitre_top25_2023", []),
        ("cwe_observed_examples", []),
    ):
        with gzip.open(folder / "cve" / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in held)
    return folder


def job(
    data: Path, out: Path, knowledge: Knowledge, wanted: Recipe, *against: Path, store: Store | None = None
) -> CorpusJob:
    return CorpusJob(wanted, data, out, against, knowledge, Policy(), store)


def test_a_corpus_is_split_by_origin_and_knows_no_benchmark(data: Path, tmp_path: Path, knowledge_file: Path) -> None:
    bench = tmp_path / "bench.jsonl"
    bench.write_text(json.dumps({"id": "CVE-2021-1001", "text": "something else that nobody wrote anywhere"}) + "\n")
    out = tmp_path / "corpus"
    with Knowledge.open(knowledge_file) as knowledge:
        wanted = job(data, out, knowledge, recipe(summary=12, weakness=60, silence=6), bench)
        make_corpus(wanted)
        manifest = read_manifest(out)
        learnt, held = list(read_lessons(out / "train.jsonl")), list(read_lessons(out / "held.jsonl"))
        first = (out / "train.jsonl").read_bytes()
        make_corpus(wanted)
    assert (out / "train.jsonl").read_bytes() == first, "the same order gives the same corpus"
    assert {one.task for one in learnt} == {"summary", "weakness", "silence"}
    assert not {one.origin for one in learnt} & {one.origin for one in held}
    assert all("CVE-2021-1001" not in one.ids for one in (*learnt, *held))
    assert manifest["learnt"]["weakness"] == sum(one.task == "weakness" for one in learnt)
    report = json.loads((out / "decontamination.json").read_text("utf-8"))
    assert report["benchmark_rows"] == 1
    assert report["benchmark_ids"] == 1


def test_a_task_that_is_not_known_is_refused(data: Path, tmp_path: Path, knowledge_file: Path) -> None:
    with Knowledge.open(knowledge_file) as knowledge, pytest.raises(WrongUsage, match="poetry"):
        make_corpus(job(data, tmp_path / "c", knowledge, recipe(poetry=1)))


def test_reviewed_cases_are_not_touched_without_consent(tmp_path: Path) -> None:
    with (
        Store.open(f"sqlite:///{tmp_path}/c.sqlite") as store,
        pytest.raises(RefusedByPolicy, match="reviewed cases"),
    ):
        next(make_reviewed(store, Policy(), 1))
