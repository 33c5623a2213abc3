"""One form for all the ways in which people write a name."""

import re
import unicodedata

_JOINTS = re.compile(r"[\s\-_\u00ad\u2010-\u2015\u2212]+")


def fold_name(name: str) -> str:
    """Fold case, compatibility forms, white space and hyphens, so that `APT 28`, `apt-28` and `APT28` are one."""
    return _JOINTS.sub("", unicodedata.normalize("NFKC", name).casefold())
