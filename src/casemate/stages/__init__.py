"""The eight stages of the path, in order: ingest, extract, classify, retrieve, generate, validate, review, export."""
