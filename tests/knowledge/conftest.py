"""An index made of the samples."""

from pathlib import Path

import pytest

from casemate.knowledge import Knowledge, import_file
from tests.knowledge.samples import ATTACK, CAPEC, CVE, CWE, EPSS, GALAXY, KEV, LISTS, MALWARE, NOW, NVD, REJECTED, put


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of all samples."""
    folder = tmp_path_factory.mktemp("knowledge")
    path = folder / "knowledge.sqlite"
    samples = [ATTACK, CAPEC, CWE, KEV, EPSS, NVD, [CVE, REJECTED], GALAXY, MALWARE, *LISTS]
    for place, content in enumerate(samples):
        import_file(path, put(folder, f"sample{place}.bin", content), now=NOW)
    return path


@pytest.fixture(scope="session")
def knowledge(index: Path) -> Knowledge:
    """The index, open."""
    return Knowledge.open(index)
