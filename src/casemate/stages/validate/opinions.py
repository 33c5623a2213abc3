"""Where two makers say different things of the same question, both are shown and a person decides.

Measured on CTI-RCM: where a 4B model and a linear model agree on a weakness they are right 77.8 % of the time; where
they differ the language model alone is right 31.4 %. So a difference is told, never settled.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from casemate.core.issue import Issue, Severity


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one maker says: `who` as a person would name it (`the record`, `the specialist`, `the model NAME`).

    `value` is an id or a word of the question's own vocabulary; `probability` is 0..1, None where none was given.
    """

    who: str
    value: str
    probability: float | None = None

    def __str__(self) -> str:
        chance = "" if self.probability is None else f" ({self.probability:.0%})"
        return f"{self.who} says {self.value}{chance}"


def find_disagreement(
    about: str, opinions: Sequence[Opinion], akin: Callable[[str, str], str] = lambda _one, _other: "", source: str = ""
) -> Issue | None:
    """Tell that makers differ on a question, with what each says; None where they agree or only one speaks.

    A maker may give several values; makers agree when they share one. `akin` tells in words how two values are related
    (`CWE-787 is a kind of CWE-119`), empty when they are not; a kinship is told too, and still is a difference.
    """
    said: dict[str, list[Opinion]] = {}
    for opinion in opinions:
        if opinion.value:
            said.setdefault(opinion.who, []).append(opinion)
    makers = list(said.values())
    if len(makers) < 2 or set.intersection(*({one.value for one in group} for group in makers)):
        return None
    told = "; ".join(str(one) for group in makers for one in group)
    pairs = (
        (one.value, other.value)
        for place, group in enumerate(makers)
        for one in group
        for more in makers[place + 1 :]
        for other in more
    )
    kinship = next((words for one, other in pairs if one != other and (words := akin(one, other))), "")
    message = f"they differ on {about}: {told}" + (f" ({kinship})" if kinship else "")
    return Issue(
        "opinions-differ", Severity.WARNING, message, source, about, "look at both and decide; nothing was chosen"
    )
