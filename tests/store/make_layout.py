"""Write a small database as this program makes it, as SQL: the layout that a later release must be able to take over.

`python -m tests.store.make_layout > tests/store/layouts/N.sql`, once, with the program of a release. What that release
does not know yet is left out.
"""

import sqlite3
import sys
import tempfile
from pathlib import Path

from casemate.audit import NewAuditEvent
from casemate.core.digest import digest_bytes
from casemate.core.evidence import Closed
from casemate.core.text import Chunk, Piece
from casemate.store import Store
from casemate.store.migrations import STEPS
from tests.store import samples

MODEL = "0123456789abcdef" * 4
TEXT = "by Failed password for root\n"


def fill(store: Store) -> None:
    """Keep a case that a person decided on, a draft case, its text and original, a reading, and more as it came in."""
    evidence = digest_bytes(TEXT.encode())
    with store.write_texts("r1", "e1") as writer:
        writer.write(Chunk(0, 0, TEXT, (Piece(0, len(TEXT), 0, len(TEXT), 1),)))
        writer.close(Closed(0, evidence, len(TEXT), len(TEXT), 1))
    store.put_blob(TEXT.encode())
    store.save_reading("r1", b"what it came to", samples.saved())
    first = samples.case("c1")
    store.save_case(first, samples.saved(), edition="e1")
    store.save_case(samples.case("c2", "Another one"), samples.saved(), edition="e1")
    store.add_review(samples.reviewed(first), 1, samples.saved("Ada"))
    if hasattr(store, "save_draft"):
        add_draft(store)
    if hasattr(store, "people"):
        add_service(store)
    if hasattr(store, "cursors"):
        add_connectors(store)
        ask_model(store)
    if hasattr(store, "identities"):
        add_identity(store)


def add_draft(store: Store) -> None:
    """Keep what a task wrote."""
    from casemate.core.draft import Draft, Section

    case = samples.case("c1")
    said = case.assessment.summary
    store.save_draft(
        Draft(
            "summary", "c1", "", samples.NOW, case.marking, (), (Section("Summary", said),), (), "0.1.0", 7, None,
            "none", None,
        ),
        samples.saved(),
    )  # fmt: skip


def add_service(store: Store) -> None:
    """Keep an account with a token, and a group of two alerts that waits."""
    from casemate.core.alert import Alert, Delivery
    from casemate.core.marking import Marking
    from casemate.core.person import Right, Role

    store.people().add("root", "ada", Role.ANALYST, Marking.AMBER, None)
    store.people().add_token("root", "ada", "sensor", list(Right))
    alerts = tuple(Alert(b'{"n": %d}' % n, "a rule", "a host", "words", "json", 4, samples.NOW) for n in range(2))
    store.queue().receive([Delivery("sensor", Marking.GREEN, "source", True, alerts)])


def add_connectors(store: Store) -> None:
    """Keep how far a connector has read, and a case that was pushed."""
    from casemate.core.alert import Cursor
    from casemate.core.assessment import Disposition
    from casemate.core.marking import Marking

    store.cursors().put([Cursor("wazuh", "alerts.json", "4711")])
    (due,) = store.pushes().due("misp", list(Marking), list(Disposition), 9)
    store.pushes().done("misp", due, "event 1", ())


def ask_model(store: Store) -> None:
    """Record two requests to a language model, as it was done before there was a table of them."""
    cost = (("prompt_tokens", "70"), ("cached_tokens", "30"), ("generated_tokens", "5"), ("seconds", "1.250"))
    body = (("model", MODEL), ("task", "summary"), *cost, ("peak_bytes", "0"), ("joules", ""))
    for _time in range(2):
        if hasattr(store, "record_use"):
            from casemate.core.cost import Cost

            store.record_use(
                NewAuditEvent("casemate", "model.asked", "c1", body), MODEL[:12], "summary", Cost(1, 70, 30, 5, 1.25)
            )
        else:
            store.record(NewAuditEvent("casemate", "model.asked", "c1", body))


def add_identity(store: Store) -> None:
    """Keep an account that an issuer vouches for."""
    from casemate.core.marking import Marking
    from casemate.core.person import Role
    from casemate.store.identities import Vouched

    store.identities().enter(Vouched("https://issuer.example", "s1", "grace", Role.READER, Marking.GREEN))


def main() -> None:
    """Make the database and write it out, with the public key of its chain in a comment."""
    with tempfile.TemporaryDirectory() as folder:
        with Store.open(f"sqlite:///{folder}/casemate.sqlite") as store:
            fill(store)
            faults = store.verify_audit()
            key = store.public_key.decode().replace("\n", "|")
        assert faults == (), faults
        with sqlite3.connect(Path(folder) / "casemate.sqlite") as made:
            made.execute("VACUUM")
            lines = [f"-- Layout {1 + len(STEPS)}, made by `python -m tests.store.make_layout`.", f"-- key {key}"]
            sys.stdout.write("\n".join([*lines, *made.iterdump()]) + "\n")


if __name__ == "__main__":
    main()
