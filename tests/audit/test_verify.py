import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.audit import (
    GENESIS,
    Checkpoint,
    Seal,
    event_line,
    export_chain,
    link,
    verify_chain,
    verify_export,
    verify_lines,
)
from casemate.core.audit import AuditEvent
from casemate.core.digest import Digest
from casemate.core.errors import NotTrusted

from .chains import chain_of, chains

FIELDS = ("number", "time", "actor", "action", "subject", "body", "previous", "digest")


@pytest.fixture(scope="module")
def seal(tmp_path_factory: pytest.TempPathFactory) -> Seal:
    return Seal.open(tmp_path_factory.mktemp("seal"))


def recompute(events: list[AuditEvent]) -> list[AuditEvent]:
    """Make a chain that is consistent in itself, as somebody who knows how it is made could."""
    forged: list[AuditEvent] = []
    previous = GENESIS
    for number, event in enumerate(events, start=1):
        forged.append(link(previous, number, event.time, event.actor, event.action, event.subject, event.body))
        previous = forged[-1].digest
    return forged


def edited(event: AuditEvent, field: str) -> AuditEvent:
    match field:
        case "number":
            return replace(event, number=event.number + 1)
        case "time":
            return replace(event, time=event.time + timedelta(microseconds=1))
        case "body":
            return replace(event, body=(*event.body, ("x", "y")))
        case "previous" | "digest":
            digest = getattr(event, field)
            return replace(event, **{field: Digest(("1" if digest[0] == "0" else "0") + digest[1:])})
        case _:
            return replace(event, **{field: getattr(event, field) + "x"})


@settings(max_examples=80)
@given(chains, st.data())
def test_any_single_edit_is_found_at_its_event(events: list[AuditEvent], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(events) - 1))
    field = data.draw(st.sampled_from(FIELDS))
    events[at] = edited(events[at], field)
    faults = verify_chain(events)
    assert faults
    assert min(fault.number for fault in faults) == at + 1


@settings(max_examples=60)
@given(chains, st.data())
def test_any_deletion_before_the_end_is_found(events: list[AuditEvent], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(events) - 1))
    high_water = len(events)
    del events[at]
    faults = verify_chain(events, high_water=high_water)
    assert faults[0].number == at + 1
    assert {fault.code for fault in faults} <= {"number-wrong", "link-broken", "chain-cut"}


@settings(max_examples=60)
@given(chains.filter(lambda events: len(events) > 1), st.data())
def test_any_swap_is_found(events: list[AuditEvent], data: st.DataObject) -> None:
    first, second = sorted(data.draw(st.sets(st.integers(0, len(events) - 1), min_size=2, max_size=2)))
    events[first], events[second] = events[second], events[first]
    faults = verify_chain(events)
    assert faults[0].number == first + 1
    assert faults[0].code == "number-wrong"


@settings(max_examples=60)
@given(chains, st.data())
def test_any_insertion_is_found(events: list[AuditEvent], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(events) - 1))
    before = events[at - 1] if at else None
    forged = link(before.digest if before else GENESIS, at + 1, events[at].time, "eve", "insert", "x", ())
    assert verify_chain([*events[:at], forged, *events[at:]])


@settings(max_examples=30)
@given(chains, st.data())
def test_any_truncation_is_found_by_a_checkpoint_of_the_end(
    seal: Seal, events: list[AuditEvent], data: st.DataObject
) -> None:
    kept = data.draw(st.integers(0, len(events) - 1))
    checkpoint = seal.sign("c", events[-1])
    assert verify_chain(events, [checkpoint], seal.public_key) == ()
    faults = verify_chain(events[:kept], [checkpoint], seal.public_key)
    assert [(fault.number, fault.code) for fault in faults] == [(kept + 1, "chain-cut")]


@settings(max_examples=30)
@given(chains, st.data())
def test_a_chain_recomputed_after_an_edit_differs_from_its_checkpoint(
    seal: Seal, events: list[AuditEvent], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(events) - 1))
    checkpoint = seal.sign("c", events[-1])
    changed = recompute([*events[:at], replace(events[at], actor=events[at].actor + "x"), *events[at + 1 :]])
    assert verify_chain(changed) == ()
    faults = verify_chain(changed, [checkpoint], seal.public_key)
    assert [(fault.number, fault.code) for fault in faults] == [(len(events), "checkpoint-differs")]


def test_a_forged_checkpoint_is_found_and_believed_in_nothing(seal: Seal) -> None:
    events = chain_of([("a", "b", "c", ())])
    real = seal.sign("c", events[0])
    for forged in (
        replace(real, number=9),
        replace(real, chain="d"),
        replace(real, digest=Digest("0" * 64)),
        replace(real, time=real.time + timedelta(hours=1)),
        replace(real, signature="00" * 64),
        replace(real, signature="no hexadecimal"),
    ):
        faults = verify_chain(events, [forged], seal.public_key)
        assert [fault.code for fault in faults] == ["signature-wrong"]


def test_a_key_of_another_installation_verifies_nothing(seal: Seal, tmp_path: Path) -> None:
    events = chain_of([("a", "b", "c", ())])
    other = Seal.open(tmp_path)
    assert verify_chain(events, [seal.sign("c", events[0])], other.public_key)[0].code == "signature-wrong"


def test_a_public_key_that_is_none_is_refused(seal: Seal) -> None:
    events = chain_of([("a", "b", "c", ())])
    with pytest.raises(NotTrusted, match="PEM"):
        verify_chain(events, [seal.sign("c", events[0])], b"rubbish")


def test_the_head_of_an_empty_chain_is_held_against_the_high_water_mark() -> None:
    assert verify_chain([]) == ()
    assert [fault.code for fault in verify_chain([], high_water=3)] == ["chain-cut"]


def test_an_unreadable_line_is_named_by_its_place() -> None:
    lines = [event_line(event) for event in chain_of([("a", "b", "c", ()), ("d", "e", "f", ())])]
    faults = verify_lines([lines[0], lines[1][:-1]])
    assert [(fault.number, fault.code) for fault in faults] == [(2, "line-unreadable")]


def exported(events: list[AuditEvent], checkpoints: list[Checkpoint]) -> bytes:
    out = io.BytesIO()
    export_chain(events, checkpoints, out)
    return out.getvalue()


@settings(max_examples=60)
@given(chains, st.data())
def test_any_changed_byte_of_an_export_is_found(seal: Seal, events: list[AuditEvent], data: st.DataObject) -> None:
    whole = exported(events, [seal.sign("c", events[-1])])
    assert verify_export(io.BytesIO(whole), seal.public_key) == ()
    at = data.draw(st.integers(0, len(whole) - 2))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != whole[at]))
    changed = whole[:at] + bytes([byte]) + whole[at + 1 :]
    assert verify_export(io.BytesIO(changed), seal.public_key)


@settings(max_examples=60)
@given(chains, st.data())
def test_an_export_that_was_cut_anywhere_is_found(seal: Seal, events: list[AuditEvent], data: st.DataObject) -> None:
    whole = exported(events, [seal.sign("c", events[-1])])
    end = data.draw(st.integers(0, len(whole) - 2))
    assert verify_export(io.BytesIO(whole[:end]), seal.public_key)


@settings(max_examples=40)
@given(chains.filter(lambda events: len(events) > 1), st.data())
def test_removing_or_swapping_lines_of_an_export_is_found(
    seal: Seal, events: list[AuditEvent], data: st.DataObject
) -> None:
    lines = exported(events, [seal.sign("c", events[-1])]).splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines) - 2))
    removed = [*lines[:at], *lines[at + 1 :]]
    swapped = [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]
    assert verify_export(io.BytesIO(b"".join(removed)), seal.public_key)
    assert verify_export(io.BytesIO(b"".join(swapped)), seal.public_key)
    assert verify_export(io.BytesIO(b"".join([*lines, lines[at]])), seal.public_key)


def test_an_older_whole_export_does_not_reach_a_checkpoint_known_from_elsewhere(seal: Seal) -> None:
    events = chain_of([("a", "b", "c", ()), ("d", "e", "f", ())])
    older = exported(events[:1], [seal.sign("c", events[0])])
    assert verify_export(io.BytesIO(older), seal.public_key) == ()
    faults = verify_export(io.BytesIO(older), seal.public_key, known=[seal.sign("c", events[1])])
    assert [fault.code for fault in faults] == ["chain-cut"]


@settings(max_examples=60)
@given(st.binary(max_size=300))
def test_any_bytes_are_an_export_with_faults(data: bytes) -> None:
    assert verify_export(io.BytesIO(data))


def test_half_a_replacement_character_is_not_taken_for_a_whole_one(seal: Seal) -> None:
    events = chain_of([("a\ufffd", "b", "c", ())])
    whole = exported(events, [seal.sign("c", events[-1])])
    assert verify_export(io.BytesIO(whole.replace(b"\xef\xbf\xbd", b"\xef\xbf")), seal.public_key)
