"""The local reference index: build, import, look up by id or alias, search."""
