"""Options that speak of other options: all of the above, both A and C, none of these."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

_THE_OTHERS = (
    r"(?:of )?(?:the |these |those )?(?:above|others?|options?|answers?|mentioned|listed|them|these)"
    r"(?: (?:above|options?|answers?|listed|mentioned))*"
)
_ALL = re.compile(
    rf"(?:all|both|each|every one) {_THE_OTHERS}|all (?:are|of these are) (?:correct|true|right)|any of the above",
    re.IGNORECASE,
)
_NONE = re.compile(rf"(?:none|neither) {_THE_OTHERS}", re.IGNORECASE)
_JOINED = r"(?:\s*(?:,|and|&|,\s*and)\s*(?:option )?\(?[A-Z]\)?)+"
_LETTERS = re.compile(
    rf"(?:[Bb]oth |[Oo]nly |[Oo]ptions? |[Aa]ll of )?\(?([A-Z])\)?({_JOINED})(?: (?:only|both|are correct))*"
)


@dataclass(frozen=True, slots=True)
class Composite:
    """What an option says of others: `members` are the places of those it takes in; `holds` is False for `none`."""

    members: tuple[int, ...]
    holds: bool


def composites(options: Sequence[str]) -> dict[int, Composite]:
    """Find the options that speak of other options, by their place; only those with two plain members count."""
    texts = [option.strip(" .") for option in options]
    found: dict[int, tuple[tuple[int, ...] | None, bool]] = {}
    for place, text in enumerate(texts):
        if _ALL.fullmatch(text):
            found[place] = (None, True)
        elif _NONE.fullmatch(text):
            found[place] = (None, False)
        elif match := _LETTERS.fullmatch(text):
            letters = [match[1], *re.findall(r"\b[A-Z]\b", match[2])]
            places = [ascii_uppercase.index(letter) for letter in letters]
            if all(other < len(options) and other != place for other in places):
                found[place] = (tuple(dict.fromkeys(places)), True)
    plain = tuple(place for place in range(len(options)) if place not in found)
    made = {
        place: Composite(plain if members is None else tuple(one for one in members if one not in found), holds)
        for place, (members, holds) in found.items()
    }
    return {place: one for place, one in made.items() if len(one.members) > 1 or not one.holds}
