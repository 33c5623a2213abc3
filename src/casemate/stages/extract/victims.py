"""Countries, regions and sectors as reports name them: whom an attack is aimed at."""

import re
from collections.abc import Iterator
from functools import cache


def _names(text: str) -> list[str]:
    return [" ".join(name.split()) for name in text.split(";")]


_COUNTRIES = _names(
    """
        Afghanistan; Albania; Algeria; Argentina; Armenia; Australia; Austria; Azerbaijan; Bahrain; Bangladesh; Belarus;
        Belgium; Bolivia; Bosnia and Herzegovina; Brazil; Brunei; Bulgaria; Cambodia; Cameroon; Canada; Chile; China;
        Colombia; Costa Rica; Croatia; Cuba; Cyprus; Czech Republic; Denmark; Ecuador; Egypt; Estonia; Ethiopia;
        Finland; France; Germany; Ghana; Greece; Guatemala; Hong Kong; Hungary; Iceland; India; Indonesia; Iran; Iraq;
        Ireland; Israel; Italy; Japan; Kazakhstan; Kenya; Kosovo; Kuwait; Kyrgyzstan; Laos; Latvia; Lebanon; Libya;
        Lithuania; Luxembourg; Malaysia; Malta; Mexico; Moldova; Mongolia; Montenegro; Morocco; Myanmar; Nepal;
        Netherlands; New Zealand; Nigeria; North Korea; North Macedonia; Norway; Oman; Pakistan; Palestine; Panama;
        Paraguay; Peru; Philippines; Poland; Portugal; Qatar; Romania; Russia; Rwanda; Saudi Arabia; Senegal; Serbia;
        Singapore; Slovakia; Slovenia; South Africa; South Korea; Spain; Sri Lanka; Sudan; Sweden; Switzerland; Syria;
        Taiwan; Tajikistan; Tanzania; Thailand; Tibet; Tunisia; Turkmenistan; Uganda; Ukraine; United Arab Emirates;
        United Kingdom; United States; Uruguay; Uzbekistan; Venezuela; Vietnam; Yemen; Zambia; Zimbabwe
        """
)

_REGIONS = _names(
    """
        Africa; Asia; Central Asia; Eastern Europe; Europe; Latin America; Middle East; North America; South America;
        South Asia; Southeast Asia; Western Europe
        """
)

_OTHER_NAMES = {"UK": "United Kingdom", "U.K.": "United Kingdom", "USA": "United States", "U.S.": "United States",
    "US": "United States", "UAE": "United Arab Emirates", "Republic of Korea": "South Korea"}  # fmt: skip

_SECTORS = {
    "aerospace": "aerospace", "automotive": "automotive", "aviation": "aerospace", "banks": "financial-services",
    "defense": "defense", "defence": "defense", "education": "education", "embassies": "government",
    "energy": "energy", "energy companies": "energy", "entertainment": "entertainment",
    "financial": "financial-services",
    "financial institutions": "financial-services", "government": "government", "government agencies": "government",
    "government entities": "government", "government organizations": "government", "healthcare": "healthcare",
    "hospitality": "hospitality-leisure", "hospitals": "healthcare", "hotels": "hospitality-leisure",
    "insurance": "insurance", "journalists": "communications", "manufacturing": "manufacturing", "mining": "mining",
    "ministries": "government", "non-profit": "non-profit", "pharmaceutical": "pharmaceuticals",
    "pharmaceuticals": "pharmaceuticals", "retail": "retail", "retailers": "retail", "technology": "technology",
    "telecommunications": "telecommunications", "telecoms": "telecommunications", "transportation": "transportation",
    "universities": "education", "utilities": "utilities",
}  # fmt: skip
"""Words for a sector -> its name in `industry-sector-ov` (STIX 2.1, section 10.7)."""

_PLAIN = {"banks", "embassies", "hospitals", "hotels", "journalists", "ministries", "retailers", "universities",
    "energy companies", "financial institutions", "government agencies", "government entities",
    "government organizations"}  # fmt: skip
"""Words that name a sector by themselves; the others do before `sector`, `industry`, `organizations` and the like."""

_AFTER = (
    r"(?=[\w\s,/&-]{0,80}?\b(?:sectors?|industry|industries|organi[sz]ations?|entities|companies|institutions|firms)\b)"
)


@cache
def _pattern() -> re.Pattern[str]:
    places = sorted([*_COUNTRIES, *_REGIONS, *_OTHER_NAMES], key=len, reverse=True)
    sectors = sorted(_SECTORS, key=len, reverse=True)
    alone = "|".join(map(re.escape, [word for word in sectors if word in _PLAIN]))
    led = "|".join(map(re.escape, [word for word in sectors if word not in _PLAIN]))
    place = "|".join(map(re.escape, places))
    return re.compile(rf"(?<![\w-])(?:(?P<place>{place})|(?P<sector>(?i:{alone})|(?i:{led}){_AFTER}))(?![\w-])")


def find_victims(text: str) -> Iterator[tuple[int, int, str, str]]:
    """Yield start, end, STIX type (`location`, `identity`) and name of each country, region and sector in a text."""
    for found in _pattern().finditer(text):
        if found["place"]:
            yield found.start(), found.end(), "location", _OTHER_NAMES.get(found[0], found[0])
        else:
            yield found.start(), found.end(), "identity", _SECTORS[found[0].lower()]
