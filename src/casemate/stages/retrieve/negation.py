"""Tell whether a question asks for the option that does not hold."""

import re

_AUXILIARY = (
    r"(?:is|are|was|were|be|do|does|did|has|have|had|can|could|will|would|should|may|might)"
    r"(?:(?:\s+(?:typically|usually|generally|normally|commonly|explicitly|directly|listed\s+as))?\s+(?:not|never)\b|n['’]t\b)"
    r"|cannot\b|can\s+not\b"
)
_STARTS_CLAUSE = (
    "when|that|if|where|who|whose|because|by|due|how|what|which|while|whenever|unless|"
    "happens?|occurs?|exists?|describes?|involves?|refers?|represents?|covers?|results?|arises?|causes?|allows?|enables?|"
    "leads?|means?|applies|concerns?|addresses|prevents?|stops?|indicates?|reflects?|captures?|shows?|says?|states?"
)
_NOUNS = rf"(?:\s+(?:of\s+(?:the\s+)?(?:following|these|those|below)|(?!(?:{_STARTS_CLAUSE})\b)[\w&/()'.-]+))"
_NEGATED = re.compile(
    # capitals are how such questions are mostly marked
    r"\b(?:NOT|EXCEPT|LEAST|INCORRECT|FALSE|UNLIKELY|NEVER|EXCLUDING)\b"
    # in small letters only where nothing but a noun stands between the question word and the negation: a weakness that
    # exists "when the product does not check" turns nothing round
    rf"|(?:\b(?:Which|What|Who)|^\s*(?:which|what|who)){_NOUNS}{{0,9}}?\s+(?:{_AUXILIARY})"
    rf"|[,:;]\s*(?:which|what){_NOUNS}{{1,9}}?\s+(?:{_AUXILIARY})"
    r"|\bexcept\s*(?:for\s*)?(?:[:?.]|$|(?:which|one|what)\b)|(?:^|[.:,]\s*)[Aa]ll\b[^?]{0,160}\bexcept\b"
    r"|\bleast\s+(?:likely|effective|relevant|useful|common|suitable|appropriate)\b"
    r"|\b(?:is|are)\s+(?:an?\s+|the\s+)?(?:unlikely|incorrect|false|untrue|wrong|inaccurate)\b(?!\s+(?:authori|authenti|permission|privilege))"
)


def is_negated(question: str) -> bool:
    """Tell whether a question asks for the option that does not hold."""
    return _NEGATED.search(question) is not None
