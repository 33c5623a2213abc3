"""The tables of a specialist's card, in Markdown."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray


def class_table(truths: Sequence[str], answers: Sequence[str], shown: int = 25) -> str:
    """Return precision, recall and the commonest wrong answer for the commonest classes.

    Args:
        truths: the right class of each item.
        answers: the class answered, in the same order.
        shown: how many classes.
    """
    lines = ["| class | items | recall | precision | most often taken for |", "|---|---|---|---|---|"]
    given = Counter(answers)
    hits = Counter(truth for truth, answer in zip(truths, answers, strict=True) if truth == answer)
    for name, count in Counter(truths).most_common(shown):
        wrong = Counter(answer for truth, answer in zip(truths, answers, strict=True) if truth == name != answer)
        other = ", ".join(f"{answer} ({times})" for answer, times in wrong.most_common(2))
        precision = f"{hits[name] / given[name]:.2f}" if given[name] else "none given"
        lines.append(f"| {name} | {count} | {hits[name] / count:.2f} | {precision} | {other} |")
    return "\n".join(lines) + "\n"


def calibration_table(shown: Sequence[float] | NDArray[Any], right: Sequence[bool], bins: int = 10) -> str:
    """Return, for each tenth of the probabilities shown, how many items there are and how many were right."""
    lines = ["| probability shown | items | mean probability | right |", "|---|---|---|---|"]
    for at in range(bins):
        inside = [pair for pair in zip(shown, right, strict=True) if min(int(pair[0] * bins), bins - 1) == at]
        if inside:
            mean = sum(chance for chance, _ in inside) / len(inside)
            share = sum(hit for _, hit in inside) / len(inside)
            lines.append(f"| {at / bins:.1f} to {(at + 1) / bins:.1f} | {len(inside)} | {mean:.3f} | {share:.3f} |")
    return "\n".join(lines) + "\n"


def coverage_table(shown: Sequence[float] | NDArray[Any], right: Sequence[bool]) -> str:
    """Return how many of the answers are right when only the surest part is given."""
    order = sorted(range(len(shown)), key=lambda place: -shown[place])
    lines = ["| answers given | right | least probability |", "|---|---|---|"]
    for share in (0.25, 0.5, 0.75, 0.9, 1.0):
        part = order[: max(round(share * len(order)), 1)]
        lines.append(f"| {share:.0%} | {sum(right[at] for at in part) / len(part):.3f} | {shown[part[-1]]:.2f} |")
    return "\n".join(lines) + "\n"
