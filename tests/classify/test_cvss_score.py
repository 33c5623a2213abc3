import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casemate.stages.classify.cvss_score import METRICS, base_score, every_vector, parse_vector, write_vector

KNOWN = {
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H": 9.8,
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H": 10.0,
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N": 6.1,
    "CVSS:3.1/AV:N/AC:L/PR:L/UI:R/S:C/C:L/I:L/A:N": 5.4,
    "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H": 5.5,
    "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H": 7.8,
    "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N": 3.1,
    "CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H": 6.8,
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N": 0.0,
}


@pytest.mark.parametrize(("vector", "score"), KNOWN.items())
def test_known_vectors_have_their_published_score(vector: str, score: float) -> None:
    values = parse_vector(vector)
    assert values is not None
    assert base_score(values) == score


def test_there_are_2592_vectors_and_their_scores_have_one_decimal() -> None:
    places, scores = every_vector()
    assert len(places) == len(set(places)) == 2592
    assert all(0 <= score <= 10 and round(score, 1) == score for score in scores)
    assert max(scores) == 10.0


@given(st.sampled_from(every_vector()[0]))
def test_a_vector_written_and_parsed_is_the_same(places: tuple[int, ...]) -> None:
    values = parse_vector(write_vector(places))
    assert values is not None
    assert tuple(METRICS[name].index(value) for name, value in values.items()) == places


@given(st.sampled_from(every_vector()[0]), st.sampled_from(["C", "I", "A"]))
def test_more_impact_never_lowers_the_score(places: tuple[int, ...], name: str) -> None:
    at = list(METRICS).index(name)
    values = {metric: METRICS[metric][place] for metric, place in zip(METRICS, places, strict=True)}
    higher = values | {name: METRICS[name][min(places[at] + 1, 2)]}
    assert base_score(higher) >= base_score(values)


@pytest.mark.parametrize(
    "vector",
    [
        "",
        "CVSS:3.1/",
        "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H",
        "CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "CVSS:3.1/AV:NA/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "CVSS:3.1/AV:N/AV:L/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "AV:N/AC:L/Au:N/C:C/I:C/A:C",
    ],
)
def test_what_is_no_vector_is_none(vector: str) -> None:
    assert parse_vector(vector) is None


@given(st.text(max_size=80))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    parse_vector(text)


@pytest.mark.data
def test_every_vector_of_the_data_has_a_score(shared_data: Path) -> None:
    with gzip.open(shared_data / "cve" / "cve_cvss_train.jsonl.gz", "rt", encoding="utf-8") as lines:
        vectors = [json.loads(line)["cvss_v3"] for line in lines]
    parsed = [parse_vector(vector) for vector in vectors]
    assert len(parsed) > 40_000
    assert sum(values is None for values in parsed) < 10
    assert all(0 <= base_score(values) <= 10 for values in parsed if values)
