"""What we already know: reference passages, and earlier cases that share something rare."""

from casemate.stages.retrieve.passages import Reference, choose_passages
from casemate.stages.retrieve.related import FeatureIndex, features_of, find_related

__all__ = ["FeatureIndex", "Reference", "choose_passages", "features_of", "find_related"]
