"""Sign-in by an issuer: the way there and back, what it gives, and everything that must not hold."""

import logging
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, RSAKey

from casemate.core.errors import CasemateError, IssuerFailed, WrongUsage
from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.policy import Grant, Limits, Oidc, Policy
from casemate.store import Store
from casemate.store.identities import Pending
from casemate.web.app import make_app
from casemate.web.oidc import Issuer, check_ready, grant_of, read_secret
from casemate.web.passwords import hash_password
from casemate.web.site import Site
from tests.connectors.servers import saying

from .conftest import PASSWORD
from .issuer import CLIENT, SECRET, Provider

GRANTS = (Grant("soc-leads", Role.ADMIN, Marking.RED), Grant("soc", Role.ANALYST, Marking.AMBER))


@pytest.fixture(scope="module")
def one() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture
def provider(one: Provider) -> Iterator[Provider]:
    kept = dict(one.__dict__)
    one.codes, one.spent, one.asked = {}, [], []
    one.metadata, one.answers, one.moved = {}, {}, {}
    yield one
    one.__dict__.update(kept)


@pytest.fixture
def oidc(provider: Provider, tmp_path: Path) -> Oidc:
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n", "utf-8")
    return Oidc(
        issuer=provider.issuer,
        hosts=("127.0.0.1",),
        client_id=CLIENT,
        secret_file=str(secret),
        address="https://casemate.example",
        grants=GRANTS,
    )


@pytest.fixture
def app(store: Store, oidc: Oidc) -> FastAPI:
    return make_app(Site(store, Policy(oidc=oidc, limits=Limits(issuer_answer_bytes=100_000)), hosts=()))


@pytest.fixture
def browser(app: FastAPI) -> TestClient:
    return TestClient(app, follow_redirects=False)


def to_the_issuer(browser: TestClient, wanted: str = "/") -> str:
    """Go to the issuer and give the address, as a path, to which it sends the browser back."""
    gone = browser.get("/sign-in/oidc", params={"next": wanted})
    assert gone.status_code == 303, gone.text
    back = httpx.get(gone.headers["location"], follow_redirects=False).headers["location"]
    assert back.startswith("https://casemate.example/sign-in/oidc/back?")
    return back.removeprefix("https://casemate.example")


def sign_in(browser: TestClient, wanted: str = "/") -> httpx.Response:
    return browser.get(to_the_issuer(browser, wanted))


def test_a_person_signs_in_and_gets_what_the_mapping_gives(browser: TestClient, store: Store, provider: Provider):
    assert "Sign in with 127.0.0.1" in browser.get("/sign-in").text
    answer = sign_in(browser, "/cases?q=x")
    assert (answer.status_code, answer.headers["location"]) == (303, "/cases?q=x")
    me = browser.get("/api/v1/me").json()
    assert (me["name"], me["role"], me["clearance"]) == ("grace", "analyst", "amber")
    assert [event.action for event in store.history("grace")] == ["person.added", "person.signed-in"]
    assert store.people().password_of("grace") == (None, None)
    assert sign_in(TestClient(browser.app, follow_redirects=False)).status_code == 303
    assert len(store.people().accounts()) == 1
    for cookie in answer.headers.get_list("set-cookie"):
        assert "HttpOnly; SameSite=Lax" in cookie
    assert store.verify_audit() == ()


def test_an_elliptic_key_signs_as_well(browser: TestClient, provider: Provider):
    provider.keys, provider.algorithm = [ECKey.generate_key("P-256", {"kid": "e"})], "ES256"
    assert sign_in(browser).status_code == 303


def test_keys_that_were_changed_count_at_once(browser: TestClient, provider: Provider):
    assert sign_in(browser).status_code == 303
    old = provider.keys[0]
    provider.keys = [RSAKey.generate_key(2048, {"kid": "two"})]
    assert sign_in(browser).status_code == 303
    new, provider.keys = provider.keys[0], [old]
    provider.sign = provider.signed
    provider.keys = [new]
    provider.sign = lambda claims: _signed_by(provider, old, claims)
    assert sign_in(browser).status_code == 403, "a key that was withdrawn counts no more"


def _signed_by(provider: Provider, key: RSAKey | ECKey, claims: dict[str, object]) -> str:
    published, provider.keys = provider.keys, [key]
    try:
        return provider.signed(claims)
    finally:
        provider.keys = published


CHANGES = {
    "another nonce": {"nonce": "other"},
    "no nonce": {"nonce": None},
    "another audience": {"aud": "somebody-else"},
    "several audiences and no azp": {"aud": [CLIENT, "somebody-else"]},
    "several audiences and another azp": {"aud": [CLIENT, "somebody-else"], "azp": "somebody-else"},
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "expired": {"exp": 1_000_000_000},
    "never expires": {"exp": None},
    "expires in words": {"exp": "tomorrow"},
    "from the future": {"iat": 9_000_000_000},
    "not yet valid": {"nbf": 9_000_000_000},
    "nobody": {"sub": ""},
    "a number for a subject": {"sub": 7},
    "a long subject": {"sub": "x" * 256},
    "another token's hash": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    "no name": {"preferred_username": None},
    "a list for a name": {"preferred_username": ["grace"]},
    "a name of another kind": {"preferred_username": "../admin"},
    "the program's name": {"preferred_username": "Casemate"},
    "no group": {"groups": None},
    "another group": {"groups": ["staff"]},
    "a group that only looks like one": {"groups": ["SOC", "soc ", "soc-"]},
    "groups of another kind": {"groups": {"soc": True}},
}


@pytest.mark.parametrize("name", list(CHANGES))
def test_a_token_that_says_something_wrong_opens_nothing(
    name: str, browser: TestClient, provider: Provider, store: Store, caplog: pytest.LogCaptureFixture
):
    def change(claims: dict[str, object]) -> None:
        for claim, value in CHANGES[name].items():
            claims[claim] = value
            if value is None:
                del claims[claim]

    provider.change = change
    with caplog.at_level(logging.DEBUG):
        answer = sign_in(browser)
    assert answer.status_code == 403, f"{name}: {answer.status_code}"
    assert browser.get("/api/v1/me").status_code == 401
    assert store.people().accounts() == ()
    assert store.history("127.0.0.1")[-1].action == "person.sign-in-refused"
    assert SECRET not in caplog.text + answer.text


def test_a_token_that_is_not_signed_by_the_issuer_opens_nothing(browser: TestClient, provider: Provider):
    stranger = RSAKey.generate_key(2048, {"kid": "one"})
    short = RSAKey.generate_key(1024, {"kid": "one"})
    attacks = {
        "alg none": provider.unsigned,
        "HS256 with the public key": provider.signed_with_the_public_key,
        "another key of the same name": lambda claims: _signed_by(provider, stranger, claims),
        "no token": lambda _claims: "not.a.token",
        "five parts": lambda _claims: "a.b.c.d.e",
        "beyond ASCII": lambda _claims: "ä.ä.ä",
        "cut": lambda claims: provider.signed(claims)[:-8],
        "another algorithm": lambda claims: provider.signed_by("RS384", claims),
    }
    for name, sign in attacks.items():
        provider.sign = sign
        assert sign_in(browser).status_code == 403, name
    provider.sign, kept = provider.signed, provider.keys
    provider.keys = [short]
    assert sign_in(browser).status_code == 403, "a short key"
    provider.keys = [kept[0], RSAKey.generate_key(2048, {"kid": "one"})]
    assert sign_in(browser).status_code == 403, "two keys of one name"
    assert browser.get("/api/v1/me").status_code == 401


def test_an_answer_holds_once_in_the_browser_that_was_sent(browser: TestClient, provider: Provider, app: FastAPI):
    back = to_the_issuer(browser)
    stranger = TestClient(app, follow_redirects=False)
    assert stranger.get(back).status_code == 400, "another browser"
    assert browser.get(back).status_code == 400, "and then it is spent"
    back = to_the_issuer(browser)
    assert browser.get(back).status_code == 303
    assert browser.get(back).status_code == 400, "a second time"
    (code,) = parse_qs(urlsplit(back).query)["code"]
    state = parse_qs(urlsplit(to_the_issuer(browser)).query)["state"][0]
    assert browser.get("/sign-in/oidc/back", params={"code": code, "state": state}).status_code == 502, "a spent code"
    to_the_issuer(browser)
    for wrong in ({"code": "x", "state": "guessed"}, {"code": "x"}, {}):
        assert browser.get("/sign-in/oidc/back", params=wrong).status_code == 400
    other = parse_qs(urlsplit(to_the_issuer(stranger)).query)
    mine = parse_qs(urlsplit(to_the_issuer(browser)).query)
    mixed = {"code": other["code"][0], "state": mine["state"][0]}
    assert browser.get("/sign-in/oidc/back", params=mixed).status_code == 502, (
        "somebody else's code: the verifier differs"
    )


def test_what_the_issuer_refuses_is_told_in_a_word(browser: TestClient):
    for error, told in (("access_denied", "access_denied"), ("<script>", "no code"), ("", "no code")):
        state = parse_qs(urlsplit(to_the_issuer(browser)).query)["state"][0]
        answer = browser.get("/sign-in/oidc/back", params={"state": state, "error": error})
        assert (answer.status_code, told in answer.text, "<script>" in answer.text) == (403, True, False)


@pytest.mark.parametrize("wanted", ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "/a\r\nb", ""])
def test_nobody_is_sent_elsewhere_afterwards(wanted: str, browser: TestClient):
    assert sign_in(browser, wanted).headers["location"] == "/"


def test_an_issuer_that_lies_about_itself_is_not_followed(browser: TestClient, provider: Provider, store: Store):
    elsewhere = [
        {"issuer": "https://evil.example"},
        {"authorization_endpoint": "https://evil.example/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "http://localhost:1/token"},
        {"jwks_uri": "https://127.0.0.1.evil.example/keys"},
        {"jwks_uri": "https://user:pass@127.0.0.1/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"token_endpoint": None},
    ]
    for lie in elsewhere:
        provider.metadata = lie
        assert browser.get("/sign-in/oidc").status_code == 502, lie
        provider.metadata = {}
        browser.app.state.site.sign_ins._levels.clear()
    discovery = "/.well-known/openid-configuration"
    for said in (b"", b"[]", b"{", b"[" * 100_000, b" " * 200_000, b"\xff\xfe", b'{"issuer": 1}'):
        provider.answers = {discovery: said}
        assert browser.get("/sign-in/oidc").status_code == 502
        browser.app.state.site.sign_ins._levels.clear()
    provider.answers = {}
    provider.moved = {discovery: f"{provider.issuer}/elsewhere"}
    assert browser.get("/sign-in/oidc").status_code == 502
    assert "/elsewhere" not in provider.asked, "a redirect is not followed"
    provider.moved = {}
    for path, said in (("/token", b'{"id_token": 7}'), ("/token", b"no JSON"), ("/keys", b"[]")):
        provider.answers = {path: said}
        assert sign_in(browser).status_code == 502
    for said in (
        b'{"keys": 7}',
        b'{"keys": [7, {"kty": "RSA"}]}',
        b'{"keys": [{"kty": "RSA", "kid": "one", "n": "!"}]}',
    ):
        provider.answers = {"/keys": said}
        assert sign_in(browser).status_code == 403
    assert store.people().accounts() == ()


def test_the_answer_names_its_issuer_where_the_issuer_says_so(browser: TestClient, provider: Provider):
    provider.metadata = {"authorization_response_iss_parameter_supported": True}
    assert sign_in(browser).status_code == 403
    back = to_the_issuer(browser)
    assert browser.get(back + "&iss=https%3A%2F%2Fevil.example").status_code == 403
    assert browser.get(to_the_issuer(browser) + f"&iss={provider.issuer}").status_code == 303


def test_what_is_decided_here_wins(browser: TestClient, store: Store, provider: Provider):
    store.people().add("test", "Grace", Role.ADMIN, Marking.RED, hash_password(PASSWORD))
    assert sign_in(browser).status_code == 409, "a local account of that name is not the issuer's"
    provider.person = {"sub": "u-2", "preferred_username": "ada", "groups": "soc"}
    assert sign_in(browser).status_code == 303
    store.people().change("root", "ada", disabled=True)
    assert browser.get("/api/v1/me").status_code == 401
    assert sign_in(browser).status_code == 403
    store.people().change("root", "ada", disabled=False)
    for _ in range(5):
        store.people().failed("ada")
    assert sign_in(browser).status_code == 403, "locked"


def test_what_the_issuer_says_next_time_counts(browser: TestClient, store: Store, provider: Provider, app: FastAPI):
    assert sign_in(browser).status_code == 303
    provider.person = {**provider.person, "groups": ["soc", "soc-leads"], "preferred_username": "renamed"}
    second = TestClient(app, follow_redirects=False)
    assert sign_in(second).status_code == 303
    me = second.get("/api/v1/me").json()
    assert (me["name"], me["role"], me["clearance"]) == ("grace", "admin", "red")
    assert browser.get("/api/v1/me").status_code == 401, "sessions end when the role changes"
    provider.person = {**provider.person, "groups": ["soc"]}
    assert sign_in(second).status_code == 409, "the last administrator"
    store.people().add("root", "other", Role.ADMIN, Marking.RED, None)
    assert sign_in(second).status_code == 303
    assert second.get("/api/v1/me").json()["role"] == "analyst"
    provider.person = {**provider.person, "groups": []}
    assert sign_in(second).status_code == 403


def test_the_session_is_a_new_one(browser: TestClient):
    sign_in(browser)
    before = browser.cookies["casemate_session"]
    sign_in(browser)
    assert browser.cookies["casemate_session"] != before
    assert TestClient(browser.app, cookies={"casemate_session": before}).get("/api/v1/me").status_code == 401


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n"])
def test_an_issuer_that_says_a_byte_now_and_then_does_not_hold_us(oidc: Oidc, begin: bytes):
    began = time.monotonic()
    with saying(begin, *[b" "] * 3000, pause=0.05) as url:
        issuer = Issuer(replace(oidc, issuer=url), Limits(issuer_seconds=0.5))
        with pytest.raises(IssuerFailed):
            issuer.leave_for(Pending("state", "browser", "nonce", "v" * 43, "/"))
    assert time.monotonic() - began < 100  # the whole answer takes 150 s


def test_too_many_tries_are_slowed_down(browser: TestClient):
    answers = [browser.get("/sign-in/oidc").status_code for _ in range(12)]
    assert answers == [303] * 10 + [429] * 2


def test_without_an_issuer_there_is_nothing(store: Store):
    browser = TestClient(make_app(Site(store, Policy(), hosts=())), follow_redirects=False)
    assert "oidc" not in browser.get("/sign-in").text
    for path in ("/sign-in/oidc", "/sign-in/oidc/back"):
        assert browser.get(path).status_code == 404


def test_the_secret_comes_from_a_file_or_the_environment(oidc: Oidc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert read_secret(oidc) == SECRET
    named = replace(oidc, secret_file="", secret_environment="CASEMATE_TEST_SECRET")
    monkeypatch.setenv("CASEMATE_TEST_SECRET", "other")
    assert read_secret(named) == "other"
    check_ready(named)
    monkeypatch.setenv("CASEMATE_TEST_SECRET", "")
    (tmp_path / "odd").write_bytes(b"\xff")
    for wrong in (
        named,
        replace(oidc, secret_file=str(tmp_path / "none")),
        replace(oidc, secret_file=str(tmp_path / "odd")),
    ):
        with pytest.raises(WrongUsage):
            check_ready(wrong)
    assert read_secret(replace(oidc, secret_file="")) == ""


def test_a_wrong_secret_opens_nothing_and_is_shown_nowhere(
    browser: TestClient, oidc: Oidc, caplog: pytest.LogCaptureFixture
):
    Path(oidc.secret_file).write_text("wrong-secret", "utf-8")
    with caplog.at_level(logging.DEBUG):
        answer = sign_in(browser)
    assert answer.status_code == 502
    assert not re.search("wrong-secret|d3Jvbmctc2VjcmV0", caplog.text + answer.text)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(
    said=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=20)
        | st.sampled_from(["RSA", "one", "sig", "AQAB"]),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["keys", "kty", "kid", "n", "e", "use", "iss", "id_token"]), inner, max_size=5
            )
        ),
        max_leaves=20,
    )
)
def test_keys_and_claims_of_any_shape_are_refused_and_nothing_else(said: object, provider: Provider, oidc: Oidc):
    import json

    provider.answers = {"/keys": json.dumps({"keys": [said]} if not isinstance(said, dict) else said).encode()}
    provider.change = lambda claims: claims.update(said) if isinstance(said, dict) else None
    verifier = "v" * 64
    pending = Pending("s", "b", "n", verifier, "/")
    issuer = Issuer(oidc, Limits())
    query = parse_qs(urlsplit(issuer.leave_for(pending)).query)
    back = provider.authorize({name: values[0] for name, values in query.items()})
    with pytest.raises(CasemateError):
        issuer.come_back(pending, parse_qs(urlsplit(back).query)["code"][0], "")


def test_the_first_grant_that_fits_counts():
    assert grant_of(["soc", "soc-leads"], GRANTS) == GRANTS[0]
    assert grant_of("soc", GRANTS) == GRANTS[1]
    for nothing in (None, 7, "", "so", [], [["soc"]], {"soc": 1}):
        assert grant_of(nothing, GRANTS) is None
