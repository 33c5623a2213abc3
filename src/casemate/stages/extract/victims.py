"""Countries, regions and sectors as reports name them: whom an attack is aimed at."""

import re
from collections.abc import Iterator
from functools import cache


def _coded(text: str) -> dict[str, str]:
    pairs = (" ".join(one.split()).partition(" ") for one in text.split(";"))
    return {name: code for code, _, name in pairs}


_COUNTRIES = _coded(
    """
    AF Afghanistan; AL Albania; DZ Algeria; AR Argentina; AM Armenia; AU Australia; AT Austria; AZ Azerbaijan; BH
    Bahrain; BD Bangladesh; BY Belarus; BE Belgium; BO Bolivia; BA Bosnia and Herzegovina; BR Brazil; BN Brunei; BG
    Bulgaria; KH Cambodia; CM Cameroon; CA Canada; CL Chile; CN China; CO Colombia; CR Costa Rica; HR Croatia; CU
    Cuba; CY Cyprus; CZ Czech Republic; DK Denmark; EC Ecuador; EG Egypt; EE Estonia; ET Ethiopia; FI Finland; FR
    France; DE Germany; GH Ghana; GR Greece; GT Guatemala; HK Hong Kong; HU Hungary; IS Iceland; IN India; ID
    Indonesia; IR Iran; IQ Iraq; IE Ireland; IL Israel; IT Italy; JP Japan; KZ Kazakhstan; KE Kenya; XK Kosovo; KW
    Kuwait; KG Kyrgyzstan; LA Laos; LV Latvia; LB Lebanon; LY Libya; LT Lithuania; LU Luxembourg; MY Malaysia; MT
    Malta; MX Mexico; MD Moldova; MN Mongolia; ME Montenegro; MA Morocco; MM Myanmar; NP Nepal; NL Netherlands; NZ
    New Zealand; NG Nigeria; KP North Korea; MK North Macedonia; NO Norway; OM Oman; PK Pakistan; PS Palestine; PA
    Panama; PY Paraguay; PE Peru; PH Philippines; PL Poland; PT Portugal; QA Qatar; RO Romania; RU Russia; RW
    Rwanda; SA Saudi Arabia; SN Senegal; RS Serbia; SG Singapore; SK Slovakia; SI Slovenia; ZA South Africa; KR
    South Korea; ES Spain; LK Sri Lanka; SD Sudan; SE Sweden; CH Switzerland; SY Syria; TW Taiwan; TJ Tajikistan; TZ
    Tanzania; TH Thailand; TN Tunisia; TM Turkmenistan; UG Uganda; UA Ukraine; AE United Arab Emirates; GB United
    Kingdom; US United States; UY Uruguay; UZ Uzbekistan; VE Venezuela; VN Vietnam; YE Yemen; ZM Zambia; ZW Zimbabwe
    """
)
"""Name -> code of ISO 3166-1; Kosovo has the one that the European Commission uses."""

_REGIONS = _coded(
    """
    africa Africa; asia Asia; central-asia Central Asia; eastern-europe Eastern Europe; europe Europe;
    latin-america-caribbean Latin America; western-asia Middle East; northern-america North America; south-america
    South America; southern-asia South Asia; south-eastern-asia Southeast Asia; western-europe Western Europe
    """
)
"""Name -> value of `region-ov` (STIX 2.1, section 10.23)."""

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


def find_victims(text: str) -> Iterator[tuple[int, int, str, str, str]]:
    """Yield start, end, STIX type, name and code of each country, region (`location`) and sector (`identity`)."""
    for found in _pattern().finditer(text):
        if found["place"]:
            name = _OTHER_NAMES.get(found[0], found[0])
            code = _COUNTRIES.get(name) or _REGIONS.get(name, "")
            yield found.start(), found.end(), "location", name, code
        else:
            yield found.start(), found.end(), "identity", _SECTORS[found[0].lower()], ""
