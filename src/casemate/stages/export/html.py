"""The report an analyst forwards: one HTML file that asks nothing of any host and runs nothing."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from casemate.core.case import Case
from casemate.core.draft import Draft
from casemate.core.finding import Finding
from casemate.core.marking import Marking
from casemate.core.text import Texts
from casemate.policy import Limits
from casemate.stages.export import draft_form, view
from casemate.stages.export.chart import chart_of
from casemate.stages.export.escaping import make_environment
from casemate.stages.export.excerpts import excerpts_of

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_FOLDER = Path(__file__).parent


def render_html(case: Case, texts: Texts, drafts: Sequence[Draft] = ()) -> bytes:
    """Write a self-contained HTML page: no script, no outside address, its one style sheet allowed by its hash.

    Everything from the case goes through `plain` and Jinja's escaping, so evidence can neither make an element nor
    turn text around. Reads the evidence around citations, at most `limits.report_evidence_chars` of it.
    """
    limits = Limits()
    notes = view.number_citations(case, texts)
    style = _style() + _print_margins(case.marking, reviewed=case.reviewed)
    page = _template("report.html.j2").render(
        case=case,
        drafts=drafts,
        draft_banner=draft_form.BANNER,
        style=_trusted(style),
        style_hash=_style_hash(style),
        notes=notes,
        excerpts=excerpts_of(case, texts, notes, limits.report_evidence_chars),
        chart=chart_of(case.timeline),
        rows=limits.report_rows,
        banner=view.banner(case),
        status=view.status(case),
        last_review=case.decision,
        confirmation=case.confirmation,
        technique_groups=view.by_tactic(case),
        tactics=view.TACTICS,
        observable_groups=view.by_type(case.observables),
        payloads=[finding for finding in case.findings if finding.kind == "payload"],
        timeline=view.telling(case, limits.report_rows),
        period=_period(case),
        sources=view.sources(case),
        run_facts=view.run_facts(case),
        notices=view.notices(case),
        composed=all(sentence.basis != "model" for sentence in case.assessment.summary),
        verdict_of=lambda finding: view.verdict_of(case, finding),
    )
    return page.encode("utf-8")


def render_draft_html(draft: Draft) -> bytes:
    """Write a draft as a self-contained HTML page under the same rules as the report, marked as a draft throughout."""
    style = _style() + _print_margins(draft.marking, reviewed=False)
    page = _template("draft.html.j2").render(
        draft=draft, style=_trusted(style), style_hash=_style_hash(style), banner=draft_form.BANNER
    )
    return page.lstrip().encode("utf-8")


@cache
def _environment() -> "Environment":
    from jinja2 import FileSystemLoader

    environment = make_environment(FileSystemLoader(_FOLDER))
    environment.globals["strength"] = _strength
    environment.filters["minute"] = _minute
    environment.filters["second"] = _second
    environment.filters["clock"] = _clock
    return environment


def _template(name: str) -> "Template":
    return _environment().get_template(name)


def _style_hash(style: str) -> str:
    return base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")


@cache
def _style() -> str:
    return (_FOLDER / "report.css").read_text("utf-8")


def _trusted(text: str) -> object:
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - our own style sheet; nothing of the case is in it


def _print_margins(marking: Marking, *, reviewed: bool) -> str:
    """Set the marking on the top and bottom of every printed page (TLP 2.0, section 5), and what a draft is."""
    words = marking.label + ("" if reviewed else "  ·  UNREVIEWED DRAFT")
    box = f'content: "{words}"; font: 700 12pt sans-serif; color: #000;'
    return f"@page {{ margin: 20mm 14mm; @top-right {{ {box} }} @bottom-right {{ {box} }} }}\n"


def _minute(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"


def _second(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}"


def _clock(time: datetime) -> str:
    return f"{time:%H:%M:%S}"


def _period(case: Case) -> str:
    if not case.timeline:
        return ""
    first = min(entry.first for entry in case.timeline)
    last = max(entry.last for entry in case.timeline)
    if first.date() == last.date():
        return f"{first:%Y-%m-%d %H:%M} to {last:%H:%M} UTC"
    return f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"


def _strength(finding: Finding) -> int:
    """Say in four steps how sure a finding is, for the shade of its cell in the matrix."""
    if finding.probability is None:
        return 4 if finding.basis in {"named", "computed"} else 2
    return 1 + min(int(finding.probability * 4), 3)
