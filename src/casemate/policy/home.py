"""Where casemate keeps its things unless it is told otherwise."""

import os
from pathlib import Path


def data_folder() -> Path:
    """Name the data folder: $CASEMATE_HOME, else the XDG data folder."""
    named = os.environ.get("CASEMATE_HOME")
    if named:
        return Path(named)
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data) / "casemate"
