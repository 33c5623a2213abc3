"""Bytes to normalised text, events and the parts found inside; one file per format."""
