"""Where makers differ, both are shown and nothing is chosen."""

from casemate.stages.validate.opinions import Opinion, find_disagreement


def test_makers_that_differ_are_told_with_all_they_say():
    issue = find_disagreement(
        "the weakness", [Opinion("the record", "CWE-79"), Opinion("the specialist", "CWE-89", 0.91)]
    )
    assert issue is not None
    assert issue.code == "opinions-differ"
    assert "the record says CWE-79" in issue.message
    assert "the specialist says CWE-89 (91%)" in issue.message


def test_makers_that_share_a_value_agree():
    several = [
        Opinion("the record", "CWE-79"),
        Opinion("the record", "CWE-80"),
        Opinion("the specialist", "CWE-80", 0.6),
    ]
    assert find_disagreement("the weakness", several) is None


def test_a_third_maker_that_differs_is_told_though_two_agree():
    opinions = [
        Opinion("the record", "CWE-79"),
        Opinion("the specialist", "CWE-79", 0.9),
        Opinion("the model", "CWE-20"),
    ]
    issue = find_disagreement("the weakness", opinions)
    assert issue is not None
    assert "the model says CWE-20" in issue.message


def test_one_maker_alone_and_empty_values_are_no_difference():
    assert find_disagreement("the weakness", [Opinion("the record", "CWE-79"), Opinion("the model", "")]) is None
    assert find_disagreement("the weakness", []) is None


def test_kinship_is_told_and_is_still_a_difference():
    def akin(one: str, other: str) -> str:
        return f"{one} is a kind of {other}" if one == "CWE-787" else ""

    issue = find_disagreement("it", [Opinion("a", "CWE-787"), Opinion("b", "CWE-119")], akin)
    assert issue is not None
    assert "CWE-787 is a kind of CWE-119" in issue.message
