"""A language model under the published protocol: replies are read, counted, scored, and never asked for twice."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.bench.cti_model import (
    READINGS,
    Protocol,
    Question,
    ask_all,
    build_request,
    read_prompts,
    read_reply,
    score_replies,
)
from casemate.bench.cti_replies import SUBJECTS
from casemate.core.errors import EngineFailed, WrongUsage
from casemate.stages.generate.scripted import Scripted

VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
READ = [
    # task, reply, last line, anywhere
    ("cti-rcm", "The text shows script injection.\nCWE-79", "CWE-79", "CWE-79"),
    ("cti-rcm", "**CWE-79: Improper Neutralization**", "CWE-79", "CWE-79"),
    ("cti-rcm", "Not CWE-89 but CWE-079.\n\nI hope this helps!", "", "CWE-79"),
    ("cti-rcm", "It could be CWE-79 or CWE-89", "", "CWE-89"),
    ("cti-rcm", "<think>CWE-20?\nCWE-20</think>\nAnswer:\n`CWE-787`\n```", "CWE-787", "CWE-787"),
    ("cti-rcm", "<think>maybe CWE-20", "", ""),
    ("cti-rcm", "cwe 79", "CWE-79", "CWE-79"),
    ("cti-rcm", "", "", ""),
    ("cti-mcq", "C", "C", "C"),
    ("cti-mcq", "**C**", "C", "C"),
    ("cti-mcq", "Because of this.\nThe correct answer is: B) Web server", "B", "B"),
    ("cti-mcq", "B) Web server configuration", "B", "B"),
    ("cti-mcq", "Answer: (D).", "D", "D"),
    ("cti-mcq", "A list of mailboxes is attacked, so C it is", "", "C"),
    ("cti-mcq", "A list of mailboxes", "", ""),
    ("cti-mcq", "C is right.\nHope this helps", "", "C"),
    ("cti-mcq", "Cannot say", "", ""),
    ("cti-vsp", f"AV: N because ...\n{VECTOR}", VECTOR, VECTOR),
    ("cti-vsp", f"**{VECTOR}**\nScore 9.8", "", VECTOR),
    ("cti-vsp", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H", "", ""),
    ("cti-vsp", "- AV:N\n- AC:L\n- PR:N\n- UI:N\n- S:U\n- C:H\n- I:H\n- A:H", "", VECTOR),
    ("cti-vsp", "CVSS:3.1/AV:N/AC:M/PR:N/UI:N/S:U/C:H/I:H/A:H", "", ""),
    ("cti-ate", "T1059 is used.\nT1573, T1059.001", "T1059, T1573", "T1059, T1573"),
    ("cti-ate", "It shows T1486.\nNone else", "", "T1486"),
]


@pytest.mark.parametrize(("task", "reply", "last", "anywhere"), READ)
def test_an_answer_is_read_from_free_text(task: str, reply: str, last: str, anywhere: str):
    assert read_reply(task, reply) == {"last_line": last, "anywhere": anywhere}


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.sampled_from(sorted(SUBJECTS)))
def test_any_reply_is_read_into_an_answer_in_the_form_of_the_truth(text: str, task: str):
    for answer in read_reply(task, text).values():
        assert answer == "" or SUBJECTS[task].truth(answer) == answer


def table(folder: Path, *rows: tuple[str, str]) -> Path:
    file = folder / "t.tsv"
    lines = [f"https://x/{n}\ttext {n}\t{prompt}\t{truth}" for n, (prompt, truth) in enumerate(rows)]
    file.write_text("\n".join(["URL\tDescription\tPrompt\tGT", *lines]) + "\n", "utf-8")
    return file


def test_the_prompt_is_asked_as_published(tmp_path: Path):
    (question,) = read_prompts("cti-rcm", table(tmp_path, ("Which CWE?", "CWE-79 ")))
    assert (question.prompt, question.truth, question.id) == ("Which CWE?", "CWE-79", "0")
    request = build_request(question.prompt, Protocol(seed=7), 2)
    assert (request.prompt, request.temperature, request.seed, request.schema) == ("Which CWE?", 0.3, 9, None)


def test_trials_are_scored_by_mean_and_deviation(tmp_path: Path):
    questions = read_prompts("cti-rcm", table(tmp_path, ("p", "CWE-79"), ("q", "CWE-89")))
    model = Scripted(["CWE-79", "It is CWE-89\nI am sure", "CWE-79", "CWE-89"])
    protocol = Protocol(trials=2)
    report = score_replies("cti-rcm", questions, ask_all(questions, model, protocol, tmp_path / "r.jsonl"), protocol)
    assert report["last_line"]["trials"] == [0.5, 1.0]
    assert (report["last_line"]["score"], report["last_line"]["unparsable"]) == (0.75, 1)
    assert report["last_line"]["deviation"] == pytest.approx(0.3536)
    assert report["last_line"]["score_of_parsed"] == 1.0
    assert (report["anywhere"]["score"], report["anywhere"]["deviation"]) == (1.0, 0.0)


def test_a_stopped_run_goes_on_and_failures_are_asked_again(tmp_path: Path):
    questions = [Question(n, str(n), "t", f"p{n}", "CWE-79") for n in range(3)]
    file, protocol = tmp_path / "r.jsonl", Protocol(trials=1)
    first = Scripted(["CWE-79", EngineFailed("died"), "CWE-1"], name="m")
    replies = ask_all(questions, first, protocol, file)
    assert [reply.failed for reply in replies] == ["", "died", ""]
    with file.open("a") as stream:
        stream.write('{"key": "cut sho')
    again = Scripted(["CWE-79"], name="m")
    again.digest = first.digest
    replies = ask_all(questions, again, protocol, file)
    assert [reply.text for reply in replies] == ["CWE-79", "CWE-79", "CWE-1"]
    assert [request.prompt for request in again.asked] == ["p1"]
    assert ask_all(questions, again, protocol, file) == replies
    other = Scripted(["CWE-2"] * 3, name="other")
    assert {reply.text for reply in ask_all(questions, other, protocol, file)} == {"CWE-2"}
    assert all(json.loads(line) for line in file.read_text().splitlines() if line and "cut sho" not in line)


def test_an_engine_that_answers_nothing_ends_the_run(tmp_path: Path):
    questions = [Question(n, str(n), "t", f"p{n}", "CWE-79") for n in range(9)]
    model = Scripted([EngineFailed("no server")] * 9)
    with pytest.raises(EngineFailed, match="no server"):
        ask_all(questions, model, Protocol(trials=1), tmp_path / "r.jsonl")


def test_several_at_a_time_come_back_in_order(tmp_path: Path):
    questions = [Question(n, str(n), "t", f"p{n}", "CWE-79") for n in range(20)]
    protocol = Protocol(trials=1)
    script = {build_request(f"p{n}", protocol, 0).digest: f"CWE-{n + 1}" for n in range(20)}
    replies = ask_all(questions, Scripted(script), protocol, tmp_path / "r.jsonl", parallel=4)
    assert [reply.text for reply in replies] == [f"CWE-{n + 1}" for n in range(20)]


def test_severities_and_techniques_are_scored_as_published():
    questions = [Question(0, "0", "t", "p", VECTOR)]
    from casemate.bench.cti_model import Reply

    none = score_replies("cti-vsp", questions, [Reply(0, 0, "9.8")], Protocol(trials=1))
    assert none["last_line"]["score"] == pytest.approx(9.8)
    near = VECTOR.replace("A:H", "A:L")
    some = score_replies("cti-vsp", questions, [Reply(0, 0, near)], Protocol(trials=1))
    assert some["last_line"]["score"] == pytest.approx(0.4)
    questions = [Question(0, "0", "t", "p", "T1059, T1486")]
    techniques = score_replies("cti-ate", questions, [Reply(0, 0, "T1059, T1027")], Protocol(trials=1))
    assert techniques["last_line"]["score"] == 0.5


@pytest.mark.parametrize("content", ["a\tb\n1\t2\n", "URL\tDescription\tPrompt\tGT\nx\n"])
def test_another_table_is_refused(tmp_path: Path, content: str):
    file = tmp_path / "other.tsv"
    file.write_text(content)
    with pytest.raises(WrongUsage):
        read_prompts("cti-rcm", file)
    with pytest.raises(WrongUsage):
        read_prompts("cti-none", file)


@pytest.mark.data
@pytest.mark.parametrize("task", sorted(SUBJECTS))
def test_the_published_samples_are_read(shared_data: Path, task: str):
    questions = read_prompts(task, shared_data / "cti-bench-sample" / f"{task}.tsv")
    assert len(questions) >= {"cti-ate": 12, "cti-vsp": 95}.get(task, 100)
    assert all(question.prompt and question.text for question in questions)
    assert all(read_reply(task, question.truth)["last_line"] == question.truth for question in questions)
    assert len(READINGS) == 2
