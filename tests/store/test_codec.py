import dataclasses
import json

import pytest

from casemate.core.case import Case
from casemate.core.errors import StoreFailed
from casemate.store import case_from_json, case_to_json

from .samples import case, reviewed


@pytest.mark.parametrize("made", [case(), reviewed(case())], ids=["draft", "reviewed"])
def test_a_case_comes_back_as_it_was(made: Case) -> None:
    data = case_to_json(made)
    assert case_from_json(data) == made
    assert case_to_json(case_from_json(data)) == data


def test_the_json_names_every_field_of_a_case() -> None:
    assert set(json.loads(case_to_json(case()))) == {field.name for field in dataclasses.fields(Case)}


def test_half_surrogates_become_replacement_characters_one_for_one() -> None:
    hostile = case(title="a\udc80\ud800\udc00b")
    assert case_from_json(case_to_json(hostile)).title == "a\ufffd\ufffd\ufffdb"


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"id":1}', b"\xff", b"[" * 10_000])
def test_what_is_no_case_is_refused_and_names_the_field(data: bytes) -> None:
    with pytest.raises(StoreFailed, match="cannot be read") as caught:
        case_from_json(data)
    assert caught.value.way_out
