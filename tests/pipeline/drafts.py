"""What the tests of tasks share: a case made of examples, tools with a scripted model, answers."""

import json

from casemate.core.draft import Draft
from casemate.core.text import Texts


def answer(*pairs: tuple[str, str], name: str = "sentences") -> str:
    return json.dumps({name: [{"quote": quote, "text": text} for quote, text in pairs]})


def all_verbatim(made: Draft, texts: Texts) -> bool:
    return all(
        texts.slice(one.span.evidence, one.span.start, one.span.end) == one.quote and one.quote
        for one in made.citations()
    )


def codes(made: Draft) -> set[str]:
    return {issue.code for issue in made.issues}
