"""Show a case to people and to tools: one file per format; a draft is marked unreviewed in every one of them."""

from collections.abc import Callable, Sequence

from casemate.core.case import Case
from casemate.core.draft import Draft
from casemate.core.errors import WrongUsage
from casemate.core.plain import plain
from casemate.core.text import Texts
from casemate.stages.export.csv import render_csv
from casemate.stages.export.draft_markdown import render_draft_markdown
from casemate.stages.export.draft_text import render_draft_text
from casemate.stages.export.html import render_draft_html, render_html
from casemate.stages.export.json import case_schema, render_draft_json, render_json
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


WITH_DRAFTS: dict[str, Callable[[Case, Texts, Sequence[Draft]], bytes]] = {
    "text": render_plain_text,
    "json": render_json,
    "markdown": render_markdown,
    "html": render_html,
}
"""Formats that also show what tasks wrote about the case, marked as drafts; the others carry findings only."""

DRAFT_FORMATS: dict[str, Callable[[Draft], bytes]] = {
    "text": lambda draft: render_draft_text(draft).encode("utf-8"),
    "json": render_draft_json,
    "markdown": render_draft_markdown,
    "html": render_draft_html,
}
"""Every format a draft can be shown in alone."""


def render(
    case: Case,
    format: str,  # noqa: A002 - the command line's own word for it
    texts: Texts,
    drafts: Sequence[Draft] = (),
) -> bytes:
    """Show a case in one of `FORMATS`; `texts` gives back the evidence around the citations.

    Raises `WrongUsage` for a format that does not exist.
    """
    if format not in FORMATS:
        raise WrongUsage(f"unknown format {plain(format)!r}", way_out=f"choose one of {', '.join(FORMATS)}")
    if format in WITH_DRAFTS:
        return WITH_DRAFTS[format](case.reworded(), texts, drafts)
    return FORMATS[format](case.reworded(), texts)


def render_draft(draft: Draft, format: str) -> bytes:  # noqa: A002 - the command line's own word for it
    """Show a draft alone in one of `DRAFT_FORMATS`; `WrongUsage` for a format that does not exist."""
    if format not in DRAFT_FORMATS:
        raise WrongUsage(f"unknown format {plain(format)!r}", way_out=f"choose one of {', '.join(DRAFT_FORMATS)}")
    return DRAFT_FORMATS[format](draft)


__all__ = [
    "DRAFT_FORMATS",
    "FORMATS",
    "case_schema",
    "plain",
    "render",
    "render_draft",
    "render_draft_text",
    "render_text",
]
