"""Show a case to people and to tools: one file per format; a draft is marked unreviewed in every one of them."""

from collections.abc import Callable

from casemate.core.case import Case
from casemate.core.errors import WrongUsage
from casemate.core.plain import plain
from casemate.core.text import Texts
from casemate.stages.export.csv import render_csv
from casemate.stages.export.html import render_html
from casemate.stages.export.json import case_schema, render_json
from casemate.stages.export.markdown import render_markdown
from casemate.stages.export.misp import render_misp
from casemate.stages.export.navigator import render_navigator
from casemate.stages.export.stix import render_stix
from casemate.stages.export.text import render_plain_text, render_text

FORMATS: dict[str, Callable[[Case, Texts], bytes]] = {
    "text": render_plain_text,
    "json": render_json,
    "markdown": render_markdown,
    "html": render_html,
    "stix": render_stix,
    "misp": render_misp,
    "navigator": render_navigator,
    "csv": render_csv,
}
"""Every format a case can be shown in; same case, same bytes."""


def render(case: Case, format: str, texts: Texts) -> bytes:  # noqa: A002 - the command line's own word for it
    """Show a case in one of `FORMATS`; `texts` gives back the evidence around the citations.

    Raises `WrongUsage` for a format that does not exist.
    """
    if format not in FORMATS:
        raise WrongUsage(f"unknown format {plain(format)!r}", way_out=f"choose one of {', '.join(FORMATS)}")
    return FORMATS[format](case.reworded(), texts)


__all__ = ["FORMATS", "case_schema", "plain", "render", "render_text"]
