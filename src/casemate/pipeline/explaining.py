"""Read evidence that belongs to no case for the tasks `payload` and `log`: its texts are held in memory, bounded."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from casemate.core.digest import Digest
from casemate.core.errors import NothingRead
from casemate.core.evidence import Closed, Opened
from casemate.core.finding import Citation
from casemate.core.issue import Issue, Severity
from casemate.core.text import Chunk, Place, Span
from casemate.pipeline.logs import Logs, read_logs
from casemate.pipeline.tools import Tools
from casemate.stages.extract.payloads import Budget, Payload, find_payloads, kind_of
from casemate.stages.ingest import Source, read
from casemate.tasks.payload import Layer


class HeldTexts:
    """Texts in memory by the digest that citations name."""

    def __init__(self) -> None:
        self._texts: dict[Digest, str] = {}

    def add(self, digest: Digest, text: str) -> None:
        """Hold a text; the first one under a digest stays."""
        self._texts.setdefault(digest, text)

    def slice(self, evidence: Digest, start: int, end: int) -> str:
        """Return those characters; empty when the text is unknown."""
        return self._texts.get(evidence, "")[start:end]

    def place(self, evidence: Digest, start: int, _end: int) -> Place:
        """Tell the line a span begins on; bytes are not known here."""
        return Place(self._texts.get(evidence, "").count("\n", 0, start) + 1, 0, 0)


@dataclass(slots=True)
class Held:
    """What reading evidence without a case came to; `names` are those of the parts whose text is held."""

    texts: HeldTexts = field(default_factory=HeldTexts)
    names: dict[Digest, str] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)


def _hold(sources: Iterable[Source | Issue], tools: Tools) -> tuple[Held, list[tuple[Digest, str, str, int]]]:
    """Read every part up to `limits.explain_chars` in all; give digest, name, text and size of each."""
    limits = tools.policy.limits
    held, parts, left = Held(), [], limits.explain_chars
    for source in sources:
        opened: dict[int, Opened] = {}
        texts: dict[int, list[str]] = {}
        for item in (source,) if isinstance(source, Issue) else read(source, limits, events=False):
            if isinstance(item, Opened):
                opened[item.part] = item
            elif isinstance(item, Chunk):
                kept = item.text[:left]
                left -= len(kept)
                texts.setdefault(item.part, []).append(kept)
                if len(kept) < len(item.text):
                    held.issues.append(_cut(opened[item.part].source))
            elif isinstance(item, Issue):
                held.issues.append(item)
            elif isinstance(item, Closed) and item.part in texts:
                text = "".join(texts.pop(item.part))
                held.texts.add(item.id, text)
                held.names[item.id] = opened[item.part].source
                parts.append((item.id, opened[item.part].source, text, item.size))
    if not parts:
        reasons = "; ".join(f"{issue.source}: {issue.message}" for issue in held.issues[:5])
        raise NothingRead(f"nothing could be read ({reasons or 'no text'})", way_out="name a file with text, or -")
    return held, parts


def _cut(source: str) -> Issue:
    message = "more text than limits.explain_chars; what follows was not read"
    way_out = "explain a smaller piece, or make a case of it with `casemate triage`"
    return Issue("limit-reached", Severity.WARNING, message, source, "", way_out)


def read_payloads(sources: Iterable[Source | Issue], tools: Tools) -> tuple[tuple[Layer, ...], Held]:
    """Read texts and everything encoded in them, the text itself first, then its layers from the outside in."""
    held, parts = _hold(sources, tools)
    limits = tools.policy.limits
    layers: list[Layer] = []
    for digest, name, text, size in parts:
        sightings = tuple(tools.scanner.scan(text, 0))
        layers.append(Layer(digest, name, (), kind_of(text), size, text, sightings))
        for payload in find_payloads(text, 0, limits, Budget(limits)):
            layers.append(_layer(payload, digest, name, text, tools))
            held.texts.add(payload.digest, payload.text)
            held.names.setdefault(payload.digest, layers[-1].name)
    return tuple(layers), held


def _layer(payload: Payload, digest: Digest, name: str, text: str, tools: Tools) -> Layer:
    end = min(payload.end, payload.start + tools.policy.limits.quote_chars)
    around = Citation(
        Span(digest, payload.start, end), text[payload.start : end], text.count("\n", 0, payload.start) + 1
    )
    return Layer(
        payload.digest,
        f"{name}!{' > '.join(payload.layers)}",
        payload.layers,
        payload.kind,
        payload.size,
        payload.text,
        tuple(tools.scanner.scan(payload.text, 0)),
        around,
    )


def read_log(sources: Sequence[Source | Issue], tools: Tools) -> tuple[Logs, Held]:
    """Read logs into groups, and hold the text that their first, last and rare lines are cited from."""
    limits = tools.policy.limits
    held = Held()
    texts: dict[int, list[str]] = {}
    left = [limits.explain_chars]

    def keep(part: int, chunk: Chunk) -> None:
        kept = chunk.text[: left[0]]
        left[0] -= len(kept)
        texts.setdefault(part, []).append(kept)

    logs = read_logs(sources, limits, tools.clock(), see_chunk=keep)
    held.issues += logs.issues
    for part, digest in logs.evidence.items():
        if part in texts:
            held.texts.add(digest, "".join(texts[part]))
            held.names[digest] = logs.parts[part]
    if not logs.lines:
        reasons = "; ".join(f"{issue.source}: {issue.message}" for issue in logs.issues[:5])
        raise NothingRead(f"no line could be read ({reasons or 'no text'})", way_out="name a log file, or -")
    if left[0] <= 0:
        held.issues.append(_cut("the logs"))
    return logs, held
