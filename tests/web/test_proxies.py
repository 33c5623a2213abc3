"""Who is believed about whom: a proxy that the policy names, and nobody else."""

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from casemate.web.doorkeeper import address_of
from casemate.web.serving import Address, configure

SAID = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}


def seen(proxies: tuple[str, ...], client: str) -> tuple[str, str]:
    """Give the address and the scheme that a request of `client` has once it arrives."""
    app = FastAPI()

    @app.get("/")
    def echo(request: Request) -> dict[str, str]:
        return {"address": address_of(request), "scheme": request.url.scheme}

    config = configure(app, Address("127.0.0.1", 8080, proxies=proxies))
    config.load()
    answer = TestClient(config.loaded_app, client=(client, 50_000)).get("/", headers=SAID).json()
    return answer["address"], answer["scheme"]


@pytest.mark.parametrize("client", ["127.0.0.1", "198.51.100.7"])
def test_nobody_is_believed_by_default(client: str):
    assert seen((), client) == (client, "http")


def test_a_named_proxy_is_believed_and_nobody_beside_it():
    proxies = ("127.0.0.1", "10.1.0.0/16")
    assert seen(proxies, "127.0.0.1") == ("203.0.113.9", "https")
    assert seen(proxies, "10.1.2.3") == ("203.0.113.9", "https")
    assert seen(proxies, "198.51.100.7") == ("198.51.100.7", "http")


def test_cookies_are_bound_to_https_where_people_come_by_it():
    assert not Address("127.0.0.1", 8080).secure
    assert Address("127.0.0.1", 8080, proxies=("127.0.0.1",)).secure
    assert Address("127.0.0.1", 8080, certificate="chain.pem", key="key.pem").secure
