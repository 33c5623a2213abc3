from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.core.digest import Digest
from casemate.core.feature import Feature, Holding
from casemate.core.finding import Finding
from casemate.core.observable import Observable
from casemate.core.text import Span
from casemate.policy import Limits
from casemate.stages.retrieve import features_of, find_related

START = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = Limits()


class HeldFeatures:
    """Earlier cases in a dict: id -> features."""

    def __init__(self, cases: Mapping[str, Sequence[Feature]]) -> None:
        self.cases = cases

    def frequencies(self, wanted: Sequence[Feature], exclude: str = "") -> tuple[int, Mapping[Feature, int]]:
        others = [held for name, held in self.cases.items() if name != exclude]
        counts = {feature: sum(feature in held for held in others) for feature in wanted}
        return len(others), {feature: count for feature, count in counts.items() if count}

    def holders(self, wanted: Sequence[Feature], among: Sequence[str] = (), exclude: str = "") -> tuple[Holding, ...]:
        return tuple(
            Holding(name, f"Case {name}", START + timedelta(days=number), tuple(f for f in wanted if f in held))
            for number, (name, held) in enumerate(self.cases.items())
            if name != exclude and (not among or name in among) and any(f in held for f in wanted)
        )


def address(value: str) -> Feature:
    return Feature("observable", f"ipv4-addr:{value}")


def technique(value: str) -> Feature:
    return Feature("technique", value)


def seen(value: str, *flags: str) -> Observable:
    return Observable("ipv4-addr", value, value, 1, (Span(Digest("0" * 64), 0, 1),), flags=flags)


def test_features_leave_out_what_is_flagged_or_ambiguous_and_come_once() -> None:
    findings = [
        Finding("F1", "technique", "Brute Force", "", "named", (), reference="T1110"),
        Finding("F2", "technique", "Brute Force", "", "named", (), reference="T1110"),
        Finding("F3", "technique", "?", "", "named", (), candidates=("T1", "T2")),
        Finding("F4", "vulnerability", "CVE", "", "named", (), reference="CVE-2021-44228"),
    ]
    made = features_of([seen("192.0.2.1"), seen("10.0.0.1", "private")], findings, ["Failed <*>", "", "Failed <*>"])
    assert made == (address("192.0.2.1"), technique("T1110"), Feature("template", "Failed <*>"))


def test_a_rare_address_outranks_many_common_techniques() -> None:
    common = [technique(f"T{number}") for number in range(5)]
    cases: dict[str, list[Feature]] = {f"noise{number}": common for number in range(300)}
    cases["same-address"] = [address("192.0.2.9")]
    cases["techniques"] = [*common, technique("T-rare")]
    for number in range(20):
        cases[f"rare{number}"] = [technique("T-rare")]
    wanted = [address("192.0.2.9"), technique("T-rare"), *common]
    related = find_related(wanted, HeldFeatures(cases), LIMITS)
    assert related[0].id == "same-address"
    assert len(related) == LIMITS.related_cases
    assert not any(case.id.startswith("noise") for case in related)


def test_what_most_cases_share_relates_nothing() -> None:
    cases = {f"c{number}": [technique("T1110")] for number in range(100)}
    assert find_related([technique("T1110")], HeldFeatures(cases), LIMITS) == ()


def test_a_store_of_one_case_still_relates() -> None:
    (case,) = find_related([address("192.0.2.1")], HeldFeatures({"c": [address("192.0.2.1")]}), LIMITS)
    assert [(shared.kind, shared.value, shared.cases) for shared in case.shared] == [
        ("observable", "ipv4-addr:192.0.2.1", 1)
    ]


def test_common_things_are_listed_behind_the_rare_ones() -> None:
    cases = {f"c{number}": [technique("T1110")] for number in range(100)}
    cases["it"] = [technique("T1110"), address("192.0.2.1")]
    (case,) = find_related([technique("T1110"), address("192.0.2.1")], HeldFeatures(cases), LIMITS)
    assert [(shared.value, shared.cases) for shared in case.shared] == [("ipv4-addr:192.0.2.1", 1), ("T1110", 101)]


def test_the_case_itself_is_neither_counted_nor_returned() -> None:
    index = HeldFeatures({"me": [address("192.0.2.1")], "it": [address("192.0.2.1")]})
    (case,) = find_related([address("192.0.2.1")], index, LIMITS, exclude="me")
    assert (case.id, case.shared[0].cases) == ("it", 1)


def test_of_equally_rare_ones_the_newest_comes_first_and_limits_hold() -> None:
    mine = [address(f"192.0.2.{number}") for number in range(9)]
    index = HeldFeatures({f"c{number}": mine for number in range(5)})
    limits = Limits(related_cases=3, shared_per_related_case=4)
    related = find_related(mine, index, limits)
    assert [case.id for case in related] == ["c4", "c3", "c2"]
    assert all(len(case.shared) == 4 for case in related)


features = st.builds(
    Feature, st.sampled_from(["observable", "technique", "template"]), st.sampled_from([str(n) for n in range(12)])
)
stores = st.dictionaries(
    st.sampled_from([f"c{n}" for n in range(30)]), st.lists(features, max_size=6, unique=True), max_size=30
)


@settings(max_examples=80)
@given(stores, st.lists(features, max_size=8, unique=True))
def test_every_result_shares_what_it_says_rarest_first(cases: dict[str, list[Feature]], wanted: list[Feature]) -> None:
    related = find_related(wanted, HeldFeatures(cases), LIMITS)
    assert [case.rarity for case in related] == sorted((case.rarity for case in related), reverse=True)
    for case in related:
        assert case.shared
        shared = {Feature(one.kind, one.value) for one in case.shared}
        assert shared == set(wanted) & set(cases[case.id])
        for one in case.shared:
            assert one.cases == sum(Feature(one.kind, one.value) in held for held in cases.values())
        for kind in {one.kind for one in case.shared}:
            counts = [one.cases for one in case.shared if one.kind == kind]
            assert counts == sorted(counts)
