from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.factory.minhash import NearIndex, nearness, shingles, signature

WORDS = st.lists(st.sampled_from([f"word{number}" for number in range(400)]), min_size=30, max_size=120)


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)


@settings(max_examples=60)
@given(WORDS, st.integers(0, 119))
def test_the_estimate_is_near_the_jaccard_index(words: list[str], cut: int) -> None:
    one, other = shingles(" ".join(words)), shingles(" ".join(words[cut % len(words) :]) + " quite another end of it")
    assert abs(nearness(signature(one), signature(other)) - jaccard(one, other)) < 0.3


def test_the_estimates_are_right_on_average() -> None:
    errors = []
    for number in range(200):
        base = [f"w{number}-{place}" for place in range(60)]
        other = base[:40] + [f"v{number}-{place}" for place in range(20)]
        one, two = shingles(" ".join(base)), shingles(" ".join(other))
        errors.append(nearness(signature(one), signature(two)) - jaccard(one, two))
    assert abs(sum(errors) / len(errors)) < 0.02


def test_texts_that_share_nothing_are_not_near() -> None:
    far = [nearness(signature({f"a{n}"}), signature({f"b{n}"})) for n in range(50)]
    assert max(far) < 0.1


def test_the_nearest_is_found_among_many() -> None:
    index = NearIndex()
    for number in range(300):
        index.add(str(number), signature(shingles(" ".join(f"t{number}x{place}" for place in range(30)))))
    near = " ".join(f"t123x{place}" for place in range(29)) + " end"
    name, share = index.nearest(signature(shingles(near)))
    assert name == "123"
    assert share > 0.7
    assert index.nearest(signature(shingles("nothing of the kind is held here at all"))) == ("", 0.0)


def test_a_short_text_is_its_own_shingle() -> None:
    assert shingles("CWE-79!") == {"cwe 79"}
    assert shingles(" - ") == frozenset()
