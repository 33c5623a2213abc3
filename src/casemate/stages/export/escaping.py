"""The one way in which text becomes HTML, in reports and on pages: escaped, plain, in the same words."""

from typing import TYPE_CHECKING

from casemate.core.plain import plain
from casemate.stages.export import draft_form, view
from casemate.stages.export.plain import defang

if TYPE_CHECKING:
    from jinja2 import BaseLoader, Environment

_TONES = {"critical": "bad", "fatal": "bad", "high": "bad", "medium": "mid", "low": "low"}


def make_environment(loader: "BaseLoader") -> "Environment":
    """Make an environment for templates that may show evidence: every value is escaped and has no control characters.

    A template that names something unknown raises `jinja2.UndefinedError`.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.globals.update(
        public_id=view.public_id,
        name_of=view.name_of,
        likelihood=view.likelihood,
        severity_word=view.severity_word,
        disposition_word=view.disposition_word,
        priority_word=lambda priority: view.PRIORITIES.get(priority, ""),
        entity=view.entity,
        defang=defang,
        tone=lambda severity: _TONES.get(view.severity_word(severity), "none"),
        number_notes=draft_form.number_notes,
        marks_of=draft_form.marks_of,
        basis_words=draft_form.basis_words,
        draft_facts=draft_form.draft_facts,
        heading=draft_form.heading,
    )
    return environment


def _shown(value: object) -> object:
    # Whatever a template shows is made plain, so that none of them can forget it; our own macros give Markup.
    from markupsafe import Markup

    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value
