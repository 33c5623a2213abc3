"""A case as STIX, MISP, Navigator, CSV, Markdown, HTML, JSON or text."""
