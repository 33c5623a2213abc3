"""What is PostgreSQL's own: its keys, its order of words, its answers, and a server that goes away."""

import shutil
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import String
from sqlalchemy.engine import make_url

from casemate.core.case import State
from casemate.core.errors import NotTrusted, StoreFailed, WrongUsage
from casemate.core.marking import Marking
from casemate.store import CaseQuery, Store
from casemate.store.columns import Chars
from casemate.store.tables import metadata
from tests.postgres import Server

from .samples import behind, case, saved


def test_every_text_is_compared_byte_by_byte_in_every_database() -> None:
    for table in metadata.tables.values():
        for column in table.columns:
            assert not isinstance(column.type, String) or isinstance(column.type, Chars), column


def test_words_of_any_script_sort_and_page_alike(url: str) -> None:
    ids = ["Zebra", "apple", "Äpfel", "a-b", "a b", "ab", "日本", "\U0001f600", "z"]
    with Store.open(url) as store:
        for name in ids:
            store.save_case(case(name), saved())
        seen = store.cleared(Marking.RED)
        listed, cursor = [], ""
        while True:
            page = seen.cases(CaseQuery(), 2, cursor)
            listed += [line.id for line in page.rows]
            cursor = page.next
            if not cursor:
                break
        assert listed == sorted(ids, key=str.encode)


def test_words_are_found_whatever_their_case(url: str) -> None:
    with Store.open(url) as store:
        store.save_case(case("c1", "ÄRGER at The gate 100% sure_thing"), saved())
        store.save_case(case("c2", "nothing"), saved())
        seen = store.cleared(Marking.RED)
        for text in ("ärger", "THE", "gat", "sure_th", "100%", "ärger gate"):
            assert [line.id for line in seen.cases(CaseQuery(text=text), 9).rows] == ["c1"], text
        assert seen.count_cases(CaseQuery(text="absent")) == 0
        assert seen.count_cases(CaseQuery(text="\x00", state=State.DRAFT)) == 0


def test_a_host_without_the_key_of_the_site_is_refused_and_makes_none(postgres_url: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    with Store.open(postgres_url, audit=other):
        pass  # nothing is signed yet: every host may be the first
    with Store.open(postgres_url) as store:
        store.save_case(case(), saved())
        late = Store.open(postgres_url, other)
        with pytest.raises(NotTrusted, match="not the one that signs") as caught:
            late.save_case(case("c2"), saved())
        late.close()
        assert "copy `key`" in caught.value.way_out
        assert store.count_cases() == 1
        with pytest.raises(NotTrusted, match="holds no key"):
            Store.open(postgres_url, tmp_path / "third")
        assert not (tmp_path / "third").exists()


def test_hosts_with_one_key_prove_one_chain_each_with_its_own_checkpoints(postgres_url: str, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    with Store.open(postgres_url, here) as first:
        first.save_case(case("c1"), saved())
        there.mkdir()
        for name in ("key", "key.pub"):
            shutil.copy(here / name, there / name)
        with Store.open(postgres_url, there) as second:
            second.save_case(case("c2"), saved())
            first.save_case(case("c3"), saved())
            assert first.verify_audit() == second.verify_audit() == ()
            with behind(postgres_url) as connection:
                connection.exec_driver_sql("DELETE FROM audit WHERE number = 3")
                connection.exec_driver_sql("DELETE FROM audit_checkpoints WHERE number = 3")
                connection.exec_driver_sql(
                    'UPDATE audit_head SET number = 2, digest = substring(line from \'"digest":"([0-9a-f]+)\') '
                    "FROM audit WHERE audit.number = 2"
                )
            assert (3, "chain-cut") in {(fault.number, fault.code) for fault in first.verify_audit()}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"host": "127.0.0.1", "port": 1}, "PostgreSQL runs"),
        ({"host": "no-such-host.invalid"}, "PostgreSQL runs"),
        ({"database": "absent"}, "createdb"),
        ({"username": "nobody_here"}, "the user"),
    ],
)
def test_a_server_that_does_not_let_us_in_is_named_without_the_password(
    postgres_url: str, change: dict[str, object], said: str
) -> None:
    url = make_url(postgres_url).set(**{"password": "s3cret-word", **change})
    if "host" in change:
        url = url.set(query={})
    with pytest.raises(StoreFailed) as caught:
        Store.open(url.render_as_string(hide_password=False))
    assert said in caught.value.way_out
    assert str(url.database) in caught.value.message
    assert "nobody_here" not in caught.value.message
    assert "s3cret-word" not in "".join(traceback.format_exception(caught.value))


def test_a_database_that_cannot_hold_every_text_is_refused(postgres_server: Server) -> None:
    url = postgres_server.make(empty=True)
    name = make_url(url).database
    postgres_server.drop(url)
    postgres_server._say(f"CREATE DATABASE {name} ENCODING SQL_ASCII LOCALE 'C' TEMPLATE template0")
    with pytest.raises(StoreFailed, match="SQL_ASCII") as caught:
        Store.open(url)
    assert "UTF8" in caught.value.way_out
    postgres_server.drop(url)


def test_what_a_row_holds_is_not_in_an_error(store: Store, url: str) -> None:
    store.save_case(replace(case(), title="secret evidence"), saved())
    with pytest.raises(StoreFailed) as caught, store._database.writing() as connection:
        connection.exec_driver_sql("INSERT INTO schema_version SELECT version FROM schema_version")
    assert "secret" not in str(caught.value)
    assert "(" not in caught.value.message.partition("constraint")[2]


def test_many_open_an_empty_database_at_once(postgres_server: Server, tmp_path: Path) -> None:
    url = postgres_server.make(empty=True)
    with ThreadPoolExecutor(4) as threads:
        for opened in threads.map(lambda _: Store.open(url, audit=tmp_path / "audit"), range(4)):
            opened.close()
    postgres_server.drop(url)


def test_a_missing_driver_is_named() -> None:
    with pytest.raises(WrongUsage, match="psycopg 3"):
        Store.open("postgresql+asyncpg://localhost/x")
