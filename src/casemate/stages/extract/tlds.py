"""The top-level domains a name may end in, and which of them are also file extensions or words of code."""

from functools import cache
from importlib.resources import files

SPECIAL = frozenset({"onion", "i2p"})
"""Suffixes outside the DNS root that are routed nevertheless (RFC 7686 reserves `onion`)."""

DEFANGED_ONLY = frozenset({"bazar", "bit", "coin", "emc", "lib", "lokinet"})
"""Suffixes of alternative roots (EmerDNS, Namecoin, ...): common words, so believed only where they are defanged."""

_CLASSIC_TEXT = """
com net org info biz edu gov mil int ru cn de uk fr nl br jp kr tw hk ir ua pl cz es se ch eu us ca au vn tr onion
xyz top club online site icu cyou
"""
CLASSIC = frozenset(_CLASSIC_TEXT.split())
"""Suffixes that nothing but a domain ends in, so that odd capitals before them are believed."""

_FILE_EXTENSIONS_TEXT = """
app bz cab do dot gz ink kt md mk mm mov pl pm ps pub py rs sh so tf vi zip
"""
FILE_EXTENSIONS = frozenset(_FILE_EXTENSIONS_TEXT.split())
"""Suffixes that are file extensions too (`setup.zip`, `foo.py`, `lib.so`, `Safari.app`)."""

_CODE_WORDS_TEXT = """
bar black blue box build call code data date day dev direct engineering events exchange expert express fail fit
global group guide host id in info is it link live map menu name network new next no now one open page pink play
plus post prod properties read red report run save schedule search security select services show sky space spot
store stream study style support target to total trade watch win work works world zone
"""
CODE_WORDS = frozenset(_CODE_WORDS_TEXT.split())
"""Suffixes that are common as the last word of a dotted name in code, settings and log fields (`process.name`)."""


@cache
def top_level_domains() -> frozenset[str]:
    """Read the pinned list of IANA top-level domains, lower case and in ASCII form."""
    text = files("casemate.stages.extract").joinpath("tlds.txt").read_text("ascii")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


@cache
def known_suffix(label: str) -> bool:
    """Say whether this last label (any case, Unicode or punycode) is a top-level domain."""
    lowered = label.lower()
    if not lowered.isascii():
        try:
            lowered = lowered.encode("idna").decode("ascii")
        except UnicodeError:
            return False
    return lowered in top_level_domains() or lowered in SPECIAL
