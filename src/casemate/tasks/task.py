"""What a task is made of: parts that a language model is asked for, and the material that each section rests on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from casemate.core.assessment import Sentence
from casemate.core.digest import Digest, digest_value
from casemate.core.draft import Cited, Fact
from casemate.core.finding import Finding
from casemate.core.issue import Issue
from casemate.core.marking import Marking
from casemate.stages.validate import CHECKS, Claim, Excerpt
from casemate.tasks.prompt import SENTENCES_SCHEMA, Proposed, read_sentences

Check = Callable[[Claim], str]
"""Tells why a claim fails, or nothing."""

Read = Callable[[str], tuple[tuple[Proposed, ...], tuple[Issue, ...]]]
"""Reads a model's answer: what it proposed, and what in the answer was not as asked for; never raises."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing a model is asked for: its instruction and schema are static, so that a prompt cache holds them.

    `most` sentences are kept; with fewer than `enough`, or under `rate` of what was proposed, the section is composed
    by code instead. `answer_tokens` bounds one answer below the policy's own limit. `checks` are asked in order.
    """

    instruction: str
    schema: Mapping[str, Any] = field(default_factory=lambda: SENTENCES_SCHEMA)
    most: int = 5
    enough: int = 3
    rate: float = 0.6
    answer_tokens: int = 360
    read: Read = read_sentences
    checks: Mapping[str, Check] = field(default_factory=lambda: CHECKS)

    @property
    def digest(self) -> Digest:
        """Name the instruction and the schema."""
        return digest_value([self.instruction, self.schema])


@dataclass(frozen=True, slots=True)
class Task:
    """A job an analyst asks for.

    `does` is its line in the help. `prompt_tokens` bounds what one request shows, below the policy's own limit.
    `adapter` names the LoRA adapter that the task was trained for, empty for the base model.
    """

    name: str
    does: str
    parts: tuple[Part, ...]
    prompt_tokens: int
    adapter: str = ""

    @property
    def digest(self) -> Digest:
        """Name everything static that a model is given: of one part its own digest."""
        return self.parts[0].digest if len(self.parts) == 1 else digest_value([part.digest for part in self.parts])


@dataclass(frozen=True, slots=True)
class Sheet:
    """What one section rests on.

    `composed` is what code says without a model. `part` is None where a model is never asked. `excerpts` are what it
    may see, the most telling first. `given` are facts computed by code, in words, that it is shown beside them. Of
    `must_tell` at least one finding has to be cited by what it says, or the composed sentences are taken.
    """

    title: str
    composed: tuple[Sentence, ...]
    part: Part | None = None
    excerpts: tuple[Excerpt, ...] = ()
    given: str = ""
    must_tell: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Material:
    """All that a task has to work with; made by the task's own `build` function, without input or output.

    `seen` are the observable values that extraction saw. `question` is what the person who runs the task asks, if
    anything; it is shown to the model after the static instruction. The other fields are those of `Draft`.
    """

    case: str
    marking: Marking
    evidence: tuple[Cited, ...]
    sheets: tuple[Sheet, ...]
    seen: frozenset[str]
    facts: tuple[Fact, ...] = ()
    about: str = ""
    question: str = ""
