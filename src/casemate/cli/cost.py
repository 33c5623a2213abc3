"""What a language model took, in tokens, seconds, memory and joules, beside what it would have cost elsewhere."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from casemate.cli.terminal import visible
from casemate.core.cost import Cost
from casemate.policy import Price

HEADS = ("requests", "prompt", "cached", "written", "seconds", "peak MB", "joules")
"""The columns of the table, after the name; `-` stands for what the machine does not tell."""


def cost_lines(costs: Mapping[str, Cost], prices: Sequence[Price]) -> Iterator[str]:
    """Write a table of costs by name with their sum, and the sum at each price."""
    total = sum(costs.values(), start=Cost())
    rows = [*costs.items(), ("total", total)] if len(costs) != 1 else list(costs.items())
    table = [("", *HEADS), *((name, *_cells(cost)) for name, cost in rows)]
    yield from _aligned(table)
    if not prices:
        yield "no prices to set it beside: put [[prices]] into the policy"
    for price in prices:
        amount = price.of(total)
        yield f"at {visible(price.name)}: {amount:.6f} {visible(price.currency)}"


def _cells(cost: Cost) -> tuple[str, ...]:
    tokens = (cost.requests, cost.prompt_tokens, cost.cached_tokens, cost.generated_tokens)
    peak = f"{cost.peak_bytes / 1e6:,.0f}" if cost.peak_bytes else "-"
    joules = "-" if cost.joules is None else f"{cost.joules:,.1f}"
    return (*(f"{number:,}" for number in tokens), f"{cost.seconds:,.1f}", peak, joules)


def _aligned(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    shown = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for name, *cells in shown:
        numbers = "  ".join(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        yield f"{name.ljust(widths[0])}  {numbers}".rstrip()
