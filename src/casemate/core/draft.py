"""Drafts: what a task wrote about evidence, for the next reader; never more than a proposal."""

from dataclasses import dataclass
from datetime import datetime

from casemate.core.assessment import Sentence
from casemate.core.digest import Digest
from casemate.core.finding import Citation
from casemate.core.issue import Issue
from casemate.core.marking import Marking


@dataclass(frozen=True, slots=True)
class Cited:
    """A text that a draft's citations lead to: its digest and the name it came with, which is hostile text."""

    id: Digest
    name: str


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that code computed for the draft: a decoded layer, a behaviour, a count; `name` says of which kind."""

    name: str
    value: str
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it; each sentence says by its basis whether a model or code wrote it."""

    title: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """What a task wrote, and how, so that it can be replayed.

    `case` is empty when the evidence belongs to no case. `about` tells what was asked for beyond the task: the reader
    of a brief, the question of an answer. `evidence` are the texts that the citations select their quotes in. `model`
    is None when no language model was used, and `prompt` names the instructions and schemas it was given. `proposed`
    counts the sentences a model gave, `dropped` those that did not pass the checks; `issues` say why, and what else the
    reader should know.
    """

    task: str
    case: str
    about: str
    created: datetime
    marking: Marking
    evidence: tuple[Cited, ...]
    sections: tuple[Section, ...]
    facts: tuple[Fact, ...]
    version: str
    seed: int
    model: Digest | None
    model_name: str
    prompt: Digest | None
    adapter: str = ""
    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    seconds: float = 0.0
    proposed: int = 0
    dropped: int = 0
    issues: tuple[Issue, ...] = ()

    @property
    def supported(self) -> float | None:
        """The share of the model's sentences that the evidence carried, 0..1; None when it proposed none."""
        return (self.proposed - self.dropped) / self.proposed if self.proposed else None

    @property
    def basis(self) -> str:
        """Who wrote the sentences: `model`, `composed` or `mixed`; `empty` when there is none."""
        kinds = {sentence.basis for section in self.sections for sentence in section.sentences}
        return kinds.pop() if len(kinds) == 1 else "mixed" if kinds else "empty"

    def citations(self) -> tuple[Citation, ...]:
        """Give every citation in the order a reader meets them, each once."""
        told = (one for section in self.sections for sentence in section.sentences for one in sentence.citations)
        return tuple(dict.fromkeys((*told, *(one for fact in self.facts for one in fact.citations))))
