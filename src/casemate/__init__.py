"""casemate: evidence in, cited and checked proposals out; a person decides and nothing leaves the building."""

__version__ = "0.1.0"
