"""The API under /api/v1: one file per resource; answers are typed by the nouns of `core` and by `answers.py`."""
