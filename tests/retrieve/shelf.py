"""A small knowledge of made-up entries, built into a real index."""

from datetime import UTC, datetime
from pathlib import Path

from casemate.core.digest import digest_value
from casemate.knowledge import Knowledge
from casemate.knowledge.records import Edition, Item, Paragraph, Record
from casemate.knowledge.write import add_edition, finish, new_index


def silent(*_: object) -> None:
    return None


ITEMS: tuple[Item, ...] = (
    Record(
        "T9001",
        "technique",
        ("Lantern Painting",),
        "Adversaries may paint lanterns to hide the glow of a stolen beacon.\n\nThe paint is mixed with soot from the "
        "chimney, and applied before sunset with a broad brush so that no watcher sees the harbour.",
        facts=(("tactic", "defense-evasion"), ("platform", "Harbour")),
        links=(("mitigated-by", "M9001"),),
    ),
    Record(
        "T9002",
        "technique",
        ("Anchor Dragging",),
        "Adversaries may drag the anchor over undersea cables to cut the telegraph between two islands.",
        facts=(("tactic", "impact"), ("platform", "Open Sea")),
    ),
    Record(
        "M9001", "mitigation", ("Lamp Inspection",), "Inspect the lamps of the port.", links=(("mitigates", "T9001"),)
    ),
    Record("M9002", "mitigation", ("Cable Armour",), "Armour the cables on the ground of the sea."),
    Record(
        "G9001",
        "actor",
        ("Velvet Gull", "Night Ferry", "Silk Tern"),
        "Velvet Gull is a crew of smugglers from the northern bay.",
    ),
    Record(
        "G9002",
        "actor",
        ("Iron Puffin", "Night Ferry"),
        "Iron Puffin robs lighthouses along the southern coast with grappling hooks.",
    ),
    Record("G9003", "actor", ("Copper Heron",), "Copper Heron forges customs papers."),
    Record(
        "p-1",
        "procedure",
        ("Velvet Gull uses Lantern Painting",),
        "Velvet Gull mixed soot with linseed oil to dull the beacon of its cutter.",
        links=(("user", "G9001"), ("technique", "T9001")),
    ),
    Record(
        "p-2",
        "procedure",
        ("Copper Heron uses Anchor Dragging",),
        "Copper Heron dragged a stolen anchor across the Marlow cable at dawn.",
        links=(("user", "G9003"), ("technique", "T9002")),
    ),
    Paragraph(
        "M9001",
        "T9001",
        "mitigates",
        "Compare the colour of every lamp with the register of the harbour master each evening.",
    ),
    Paragraph("M9002", "T9002", "mitigates", "Wrap the telegraph cables in steel wire where ships may anchor."),
)


def make_shelf(path: Path) -> Knowledge:
    edition = Edition("made-up", "Made up", "1", 50, "", ITEMS)
    with new_index(path, onto=False) as connection:
        add_edition(connection, edition, digest_value({"made": "up"}), datetime(2026, 1, 1, tzinfo=UTC), silent)
        finish(connection, lists_changed=False, progress=silent)
    return Knowledge.open(path)
