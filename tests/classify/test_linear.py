import io

import pytest

pytest.importorskip("numpy")

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from casemate.stages.classify.linear import SparseLinear, features_of, words_of
from casemate.stages.classify.trees import Trees


def model_of(words: dict[str, tuple[int, int]]) -> SparseLinear:
    """Make a model in which each word speaks for one class."""
    rows = []
    for word, (target, weight) in words.items():
        rows += [(int(number), target, weight) for number in features_of(word)[0]]
    rows.sort()
    numbers = sorted({row[0] for row in rows})
    starts = [0]
    for number in numbers:
        starts.append(starts[-1] + sum(row[0] == number for row in rows))
    return SparseLinear.of(
        {
            "numbers": np.array(numbers),
            "idf": np.ones(len(numbers)),
            "starts": np.array(starts),
            "classes": np.array([row[1] for row in rows]),
            "weights": np.array([row[2] for row in rows]),
            "scale": np.full(2, 0.1),
            "bias": np.zeros(2),
        }
    )


def test_a_word_speaks_for_its_class():
    model = model_of({"mimikatz": (0, 100), "phishing": (1, 100)})
    assert model.logits("they ran mimikatz").argmax() == 0
    assert model.logits("a phishing mail").argmax() == 1


def test_a_text_without_known_features_gets_the_bias():
    model = model_of({"mimikatz": (0, 100), "phishing": (1, 100)})
    assert model.logits("").tolist() == [0.0, 0.0]
    assert model.coverage("") == 0.0
    assert model.coverage("mimikatz") == 1.0
    assert model.coverage("qqqq zzzz") == 0.0


def test_packed_arrays_are_the_same_model():
    model = model_of({"mimikatz": (0, 100), "phishing": (1, 90)})
    held = io.BytesIO()
    np.savez(
        held,
        numbers=np.diff(model.numbers, prepend=0),
        starts=np.diff(model.starts),
        idf=model.idf,
        classes=model.classes,
        weights=model.weights,
        scale=model.scale,
        bias=model.bias,
    )
    held.seek(0)
    again = SparseLinear.of_packed(np.load(held))
    text = "mimikatz after phishing"
    assert again.logits(text).tolist() == model.logits(text).tolist()


@given(st.text(max_size=400))
def test_any_text_has_ascending_features(text):
    numbers, weights = features_of(text)
    assert (np.diff(numbers) > 0).all()
    assert len(numbers) == len(weights)
    assert (weights > 0).all()


def test_a_long_word_is_read_as_its_beginning():
    assert words_of("a" * 1_000_000) == ["a" * 32]


def test_trees_follow_their_bars():
    trees = Trees(
        {
            "feature": np.array([0, -1, 1, -1, -1]),
            "bar": np.array([0.5, 0, 2.0, 0, 0]),
            "left": np.array([1, 0, 3, 0, 0]),
            "right": np.array([2, 0, 4, 0, 0]),
            "value": np.array([0, -1.0, 0, 1.0, 5.0]),
            "roots": np.array([0]),
            "base": np.array(0.25),
        }
    )
    rows = np.array([[0.5, 9.0], [1.0, 2.0], [1.0, 2.5]], np.float32)
    assert trees.score(rows).tolist() == [-0.75, 1.25, 5.25]
