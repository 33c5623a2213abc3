"""Settings are read whole or refused with file, place and way out."""

from pathlib import Path

import pytest

from casemate.connectors.settings import FolderSettings, WazuhSettings, load_connectors
from casemate.core.errors import WrongUsage
from casemate.core.marking import Marking


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "connectors.toml"
    file.write_text(text, "utf-8")
    return file


def test_a_file_is_read_and_paths_begin_at_its_folder(tmp_path: Path):
    text = """
        [in.drop]
        kind = "folder"
        path = "inbox"
        marking = "red"
        [in.wazuh]
        kind = "wazuh"
        path = "/var/ossec/logs/alerts/alerts.json"
        least_level = 7
        rotated = ["old/*.json"]
    """
    drop, wazuh = load_connectors(written(tmp_path, text)).incoming
    assert drop == FolderSettings(name="drop", path=str(tmp_path / "inbox"), marking=Marking.RED)
    assert isinstance(wazuh, WazuhSettings)
    assert (wazuh.path, wazuh.rotated) == ("/var/ossec/logs/alerts/alerts.json", (str(tmp_path / "old/*.json"),))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[in.drop", "not TOML"),
        ("[out_of.drop]", "'out_of'"),
        ("in = 3", "in: not tables"),
        ('[in.drop]\nkind = "dropbox"', "in.drop.kind"),
        ("[in.drop]\npath = 'x'", "in.drop.kind"),
        ('[in."../x"]\nkind = "folder"', "not a name"),
        ('[in.drop]\nkind = "folder"', "in.drop.path"),
        ('[in.drop]\nkind = "folder"\npath = ""', "in.drop.path"),
        ('[in.drop]\nkind = "folder"\npath = "x"\nname = "y"', "in.drop.name"),
        ('[in.drop]\nkind = "folder"\npath = "x"\nafter = "delete"', "in.drop.after"),
        ('[in.drop]\nkind = "folder"\npath = "x"\nevery = 0', "in.drop.every"),
        ('[in.drop]\nkind = "folder"\npath = "x"\nsettle = nan', "in.drop.settle"),
        ('[in.drop]\nkind = "folder"\npath = "x"\nmarking = "white"', "in.drop.marking"),
        ('[in.drop]\nkind = "folder"\npath = "x"\ncolour = "red"', "in.drop.colour"),
    ],
)
def test_what_is_wrong_is_refused_by_place(tmp_path: Path, text: str, named: str):
    file = written(tmp_path, text)
    with pytest.raises(WrongUsage) as caught:
        load_connectors(file)
    assert named in caught.value.message
    assert str(file) in caught.value.message
    assert caught.value.way_out


def test_a_missing_file_is_refused(tmp_path: Path):
    with pytest.raises(WrongUsage, match="nowhere"):
        load_connectors(tmp_path / "nowhere.toml")
