from casemate.core.feature import Feature
from casemate.policy import Limits
from casemate.stages.retrieve import FeatureIndex, find_related
from casemate.store import Store

from .samples import NOW, case, saved

ADDRESS = Feature("observable", "ipv4-addr:192.0.2.1")
URL = Feature("observable", "url:http://x.example/" + "a" * 5000)
TECHNIQUE = Feature("technique", "T1110")


def test_features_are_counted_without_the_case_itself(store: Store) -> None:
    store.save_case(case("c1"), saved(), [ADDRESS, TECHNIQUE, ADDRESS])
    store.save_case(case("c2"), saved(), [TECHNIQUE])
    index: FeatureIndex = store.features()
    assert index.frequencies([ADDRESS, TECHNIQUE, URL]) == (2, {ADDRESS: 1, TECHNIQUE: 2})
    assert index.frequencies([ADDRESS, TECHNIQUE, URL], "c1") == (1, {TECHNIQUE: 1})
    assert index.frequencies([]) == (2, {})


def test_holders_tell_what_they_hold(store: Store) -> None:
    store.save_case(case("c1"), saved(), [ADDRESS, TECHNIQUE, URL])
    store.save_case(case("c2", title="Second"), saved(), [TECHNIQUE])
    first, second = store.features().holders([ADDRESS, TECHNIQUE, URL])
    assert (first.id, set(first.features)) == ("c1", {ADDRESS, TECHNIQUE, URL})
    assert (second.id, second.title, second.created, second.features) == ("c2", "Second", NOW, (TECHNIQUE,))
    assert [held.id for held in store.features().holders([TECHNIQUE], among=["c2"])] == ["c2"]
    assert [held.id for held in store.features().holders([TECHNIQUE], exclude="c2")] == ["c1"]


def test_a_replaced_draft_holds_what_the_new_one_holds(store: Store) -> None:
    store.save_case(case(), saved(), [ADDRESS])
    store.save_case(case(title="Better"), saved(), [TECHNIQUE])
    assert store.features().frequencies([ADDRESS, TECHNIQUE]) == (1, {TECHNIQUE: 1})


def test_thousands_of_features_are_asked_for_at_once(store: Store) -> None:
    many = [Feature("observable", f"ipv4-addr:10.0.{number // 256}.{number % 256}") for number in range(3000)]
    store.save_case(case("c1"), saved(), many)
    total, counts = store.features().frequencies(many)
    assert (total, len(counts)) == (1, 3000)
    (related,) = find_related([*many, URL], store.features(), Limits())
    assert related.id == "c1"
    assert len(related.shared) == Limits().shared_per_related_case
