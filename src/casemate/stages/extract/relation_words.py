"""The words by which relations are read off a sentence: verbs and what they mean, and what may stand beside them."""

import re
from collections.abc import Mapping


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_VERBS = {
    "use": "use leverage employ utilize utilise abuse wield favor favour adopt",
    "deploy": "deploy install execute launch run load inject implant push introduce",
    "deliver": "deliver distribute spread disseminate propagate serve",
    "drop": "drop",
    "download": "download fetch retrieve",
    "exploit": "exploit weaponize weaponise",
    "target": "target",
    "attribute": "attribute",
    "author": "develop create author write",
    "resolve": "resolve",
    "host": "host",
    "communicate": "communicate connect beacon",
}

_IRREGULAR = {
    "spread": "deliver", "spreads": "deliver", "ran": "deploy", "running": "deploy", "dropped": "drop",
    "dropping": "drop", "wrote": "author", "written": "author", "distributing": "deliver",
    "attacked": "target", "attacking": "target", "compromised": "target", "compromising": "target",
}  # fmt: skip

NEEDS = {
    "attribute": frozenset({"to"}),
    "resolve": frozenset({"to"}),
    "host": frozenset({"on", "at"}),
    "communicate": frozenset({"with", "to"}),
}
"""Meanings that hold only with one of these words right after the verb."""

NEVER_ACTIVE = frozenset({"attribute", "host"})
"""Meanings told in the passive, whose subject is nevertheless what stands before: `X is attributed to Y`."""


def _forms(verb: str) -> tuple[str, ...]:
    stem = verb.removesuffix("e")
    if re.fullmatch(r"[^aeiou]*[aeiou][^aeiouwxy]", verb):
        stem, doubled = verb, verb + verb[-1]
        return verb, verb + "s", doubled + "ed", doubled + "ing"
    if re.search(r"[^aeiou]y$", verb):
        return verb, verb[:-1] + "ies", verb[:-1] + "ied", verb + "ing"
    third = verb + ("es" if verb.endswith(("s", "x", "ch", "sh")) else "s")
    return verb, third, stem + "ed", stem + "ing"


VERBS: Mapping[str, str] = {
    form: meaning for meaning, verbs in _VERBS.items() for verb in verbs.split() for form in _forms(verb)
} | _IRREGULAR
"""Every form of a verb -> what it means, a key of `relation_types.MEANINGS`."""

AUXILIARIES = _words(
    """
        has have had been is are was were be being to also then often may can could might would will must did does do
        """
)
PASSIVE = frozenset(["is", "are", "was", "were", "be", "been", "being"])

NEGATIONS = _words(
    """
        not never no cannot without nor neither n't hardly denied denies unlike instead unable
        """
)
HEDGES = _words(
    """
        may might could possibly likely potentially suspected allegedly reportedly appears appear believed probably
        suggests suggest seems seemingly perhaps presumably would if unconfirmed tentatively
        """
)

BEFORE_VERB = _words(
    """
        observed seen known found noted reported identified detected continues continue continued began begins started
        starts attempted attempting tried tries used itself themselves who which that actively group groups actor actors
        operator operators affiliate affiliates campaign campaigns malware gang ransomware backdoor trojan loader
        stealer botnet rat worm wiper implant variant variants sample samples infection infections attack attacks
        payload payloads binary team members developers developer threat apt activity actors' espionage framework tool
        both have since first recently now again later already previously typically commonly primarily mainly usually
        heavily successfully additionally currently subsequently eventually
        """
)
"""Words that may stand between a subject and its verb."""

BREAKS = _words(
    """
        to after before while when because if but which that who whose from against with by via through into onto in for
        at until since during whereas although though where upon over under between within across than then without not
        and or on against like about
        """
)
"""Words that end the way from a verb to its object, unless the word belongs to the verb."""

LEADS = _words(
    """
        as including called named dubbed of versions variants such the tracked known
        """
)
"""Words that lead on to an object although they would seem to end the way: `a loader known as X`."""

KIND_NOUNS = _words(
    """
        malware backdoor ransomware loader trojan stealer rat botnet tool tools framework beacon beacons payload
        payloads malwares downloader dropper implant worm wiper keylogger miner the a an its their and also info
        infostealer
        """
)
"""Words that may stand between the members of a list."""
