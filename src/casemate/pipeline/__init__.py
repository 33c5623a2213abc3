"""The one path from evidence to a stored case."""
