import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casemate.core.digest import Digest, digest_bytes
from casemate.core.evidence import Closed
from casemate.core.text import Chunk, Piece, Place, Texts
from casemate.store import Store, text_writer

from .samples import behind, case, digest, saved

E1, E2 = digest("one"), digest("two")


def chunks_of(text: str, cuts: Sequence[int], part: int = 0, encoding: str = "utf-8") -> list[Chunk]:
    """Cut a text that stands in a file as it is into chunks, each with one piece."""
    edges = [0, *sorted(cuts), len(text)]
    made = []
    for start, end in pairwise(edges):
        body = text[start:end]
        byte, line = len(text[:start].encode(encoding)), 1 + text.count("\n", 0, start)
        piece = Piece(start, len(body), byte, len(body.encode(encoding)), line, encoding=encoding)
        made.append(Chunk(part, start, body, (piece,)))
    return made


def closed(text: str, evidence: Digest = E1, part: int = 0) -> Closed:
    return Closed(part, evidence, len(text), len(text), 1)


def write(store: Store, text: str, cuts: Sequence[int] = (), evidence: Digest = E1, edition: str = "") -> None:
    with store.write_texts("r", edition) as writer:
        for chunk in chunks_of(text, cuts):
            writer.write(chunk)
        writer.close(closed(text, evidence))


def rows(url: str, table: str) -> int:
    with behind(url) as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


def test_a_text_is_read_back_across_chunks(store: Store) -> None:
    write(store, "hello\nwörld\nlast", [6, 9])
    held: Texts = store.texts()
    assert held.slice(E1, 0, 99) == "hello\nwörld\nlast"
    assert held.slice(E1, 7, 11) == "örld"
    assert held.slice(E1, 3, 13) == "lo\nwörld\nl"
    assert held.slice(E1, 12, 12) == ""
    assert held.slice(E1, 50, 60) == ""
    assert store.texts().length(E1) == 16


def test_a_span_leads_back_to_lines_and_bytes(store: Store) -> None:
    write(store, "hello\nwörld\nlast", [6, 9])
    held = store.texts()
    assert held.place(E1, 7, 11) == Place(2, 7, 12)
    assert held.place(E1, 0, 5) == Place(1, 0, 5)
    assert held.place(E1, 12, 16) == Place(3, 13, 17)


def test_unknown_evidence_is_empty_and_may_come_later(store: Store) -> None:
    held = store.texts()
    assert held.slice(E1, 0, 9) == ""
    assert held.place(E1, 3, 4) == Place(1, 0, 0)
    write(store, "now")
    assert held.slice(E1, 0, 9) == "now"


def test_made_pieces_and_notes_come_back(store: Store) -> None:
    pieces = (Piece(0, 3, 10, 7, 2, False, "latin-1", "page 3"), Piece(3, 2, 17, 2, 5))
    with store.write_texts("r") as writer:
        writer.write(Chunk(0, 0, "abcde", pieces))
        writer.close(closed("abcde"))
    assert store.texts().place(E1, 1, 2) == Place(2, 10, 17, "page 3")
    assert store.texts().place(E1, 3, 5) == Place(5, 17, 19)


def test_parts_may_alternate_and_unclosed_ones_are_thrown_away(store: Store, url: str) -> None:
    with store.write_texts("r") as writer:
        for first, second in zip(chunks_of("aaaabbbb", [4]), chunks_of("ccccdddd", [4], part=1), strict=True):
            writer.write(first)
            writer.write(second)
        writer.close(closed("aaaabbbb", E1, 0))
    assert store.texts().slice(E1, 2, 6) == "aabb"
    assert rows(url, "texts") == 1


def test_the_same_bytes_twice_are_kept_once_and_the_first_stays(store: Store, url: str) -> None:
    write(store, "first")
    write(store, "other")
    assert store.texts().slice(E1, 0, 9) == "first"
    assert (rows(url, "texts"), rows(url, "chunks")) == (1, 1)


def test_two_parts_with_the_same_bytes_in_one_reading_are_kept_once(store: Store, url: str) -> None:
    with store.write_texts("r") as writer:
        for part in (0, 1):
            for chunk in chunks_of("same", [], part=part):
                writer.write(chunk)
            writer.close(closed("same", E1, part))
    assert rows(url, "texts") == 1


def test_another_edition_shares_the_text_when_it_is_the_same_and_has_its_own_when_not(store: Store, url: str) -> None:
    write(store, "text", edition="1")
    write(store, "text", edition="2")
    assert rows(url, "texts") == 1
    write(store, "text, read better", edition="3")
    assert rows(url, "texts") == 2
    assert store.texts("1").slice(E1, 0, 99) == store.texts("2").slice(E1, 0, 99) == "text"
    assert store.texts("3").slice(E1, 0, 99) == store.texts("4").slice(E1, 0, 99) == "text, read better"


def test_a_case_is_shown_with_the_texts_it_was_made_from(store: Store) -> None:
    write(store, "as it was read then", edition="1")
    store.save_case(case(), saved(), edition="1")
    write(store, "as it is read now", edition="2")
    assert store.texts_of("c1").slice(E1, 0, 99) == "as it was read then"
    assert store.texts().slice(E1, 0, 99) == store.texts_of("unknown").slice(E1, 0, 99) == "as it is read now"


def test_a_failing_reading_leaves_nothing(store: Store, url: str) -> None:
    def read_and_fail() -> None:
        with store.write_texts("r") as writer:
            for number in range(2 * text_writer.FLUSH_CHUNKS):
                writer.write(Chunk(0, number, "x", (Piece(number, 1, number, 1, 1),)))
            writer.close(closed("x"))
            raise KeyError("the disk is gone")

    with pytest.raises(KeyError):
        read_and_fail()
    assert (rows(url, "texts"), rows(url, "chunks")) == (0, 0)


def test_what_a_killed_writer_left_is_cleared_by_the_next(store: Store, url: str) -> None:
    program = (
        "import os, sys\n"
        "from casemate.store import Store, text_writer\n"
        "from casemate.core.text import Chunk, Piece\n"
        "writer = Store.open(sys.argv[1]).write_texts('r').__enter__()\n"
        "for n in range(2 * text_writer.FLUSH_CHUNKS):\n"
        "    writer.write(Chunk(0, n, 'x', (Piece(n, 1, n, 1, 1),)))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, url], check=False).returncode == -9
    assert rows(url, "chunks") == 2 * text_writer.FLUSH_CHUNKS
    with store.write_texts("other"):
        assert rows(url, "chunks") == 0


def test_a_writer_at_work_is_not_taken_for_a_dead_one(store: Store) -> None:
    with store.write_texts("r") as writer:
        for number in range(text_writer.FLUSH_CHUNKS):
            writer.write(Chunk(0, number, "x", (Piece(number, 1, number, 1, 1),)))
        with store.write_texts("other"):
            pass
        writer.close(closed("x"))
    assert store.texts().slice(E1, 0, 999) == "x" * text_writer.FLUSH_CHUNKS


def test_half_surrogates_keep_their_place(store: Store) -> None:
    with store.write_texts("r") as writer:
        writer.write(Chunk(0, 0, "a\ud800b", (Piece(0, 3, 0, 5, 1),)))
        writer.close(closed("x"))
    assert store.texts().slice(E1, 0, 3) == "a\ufffdb"


def test_more_chunks_than_are_kept_in_memory(store: Store) -> None:
    text = "".join(f"line {number}\n" for number in range(400))
    write(store, text, range(11, len(text), 37))
    held = store.texts()
    for start in range(0, len(text), 101):
        assert held.slice(E1, start, start + 50) == text[start : start + 50]


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path_factory.mktemp('texts')}/casemate.db") as store:
        yield store


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60),
    encoding=st.sampled_from(["utf-8", "utf-16-le"]),
    data=st.data(),
)
def test_any_cutting_of_any_text_reads_and_locates_as_the_whole(
    shared_store: Store, text: str, encoding: str, data: st.DataObject
) -> None:
    cuts = data.draw(st.sets(st.integers(1, max(len(text) - 1, 1)), max_size=5))
    evidence = digest_bytes(repr((text, sorted(cuts), encoding)).encode())
    with shared_store.write_texts("r") as writer:
        for chunk in chunks_of(text, [cut for cut in sorted(cuts) if cut < len(text)], encoding=encoding):
            writer.write(chunk)
        writer.close(closed(text, evidence))
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    held = shared_store.texts()
    assert held.slice(evidence, start, end) == text[start:end]
    place = held.place(evidence, start, end)
    assert text.encode(encoding)[place.byte : place.byte_end].decode(encoding) == text[start:end]
    assert place.line == 1 + text.count("\n", 0, start)
