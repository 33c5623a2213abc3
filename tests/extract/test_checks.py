"""The checksums and ranges, against published vectors and single changed letters."""

import pytest

from casemate.stages.extract.checks import (
    canonical_ipv6,
    is_bitcoin_base58,
    is_bitcoin_bech32,
    is_ethereum,
    is_ipv4,
    is_mac,
    is_monero,
    is_ssdeep,
)

# BIP 173 and BIP 350 give these as valid and invalid.
BECH32_VALID = [
    "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
    "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
]
BECH32_INVALID = [
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",
    "bc1rw5uspcuh",
    "bc1gmk9yu",
]
# EIP-55 gives these.
EIP55 = ["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"]
MONERO = "46jECbnrkJTUks7Fg5YtwShdUCiwUwEEZJtJBhKLK4GBWfBX7PLrYBuWR9zhzos5uQ1uXGUgFpGCSBR5o651pL5ERxmwqHu"


@pytest.mark.parametrize("text", BECH32_VALID)
def test_bech32_vectors_are_valid_and_no_changed_letter_is(text):
    assert is_bitcoin_bech32(text)
    assert not is_bitcoin_bech32(text[:-1] + ("q" if text[-1] not in "qQ" else "p"))


@pytest.mark.parametrize("text", BECH32_INVALID)
def test_bech32_vectors_that_are_not_valid(text):
    assert not is_bitcoin_bech32(text)


def test_base58check():
    assert is_bitcoin_base58("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa")
    assert is_bitcoin_base58("3P14159f73E4gFr7JterCCQh9QjiTjiZrG")
    assert not is_bitcoin_base58("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb")
    assert not is_bitcoin_base58("0A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa")
    assert not is_bitcoin_base58("LM2WMpR1Rp6j3Sa59cMXMs1SPzj9eXpGc1")  # another chain


@pytest.mark.parametrize("text", EIP55)
def test_ethereum_mixed_case_is_a_checksum(text):
    assert is_ethereum(text)
    assert is_ethereum(text.lower())
    assert not is_ethereum(text[:-1] + text[-1].swapcase()) or not text[-1].isalpha()
    assert not is_ethereum("0x" + text[2:].swapcase())
    assert not is_ethereum("0x" + "0" * 40)


def test_monero():
    assert is_monero(MONERO)
    assert not is_monero(MONERO[:-1] + "v")
    assert not is_monero(MONERO[:94])


def test_addresses_and_the_rest():
    assert is_ipv4("255.255.255.255")
    assert is_ipv4("0.0.0.0")
    assert not any(map(is_ipv4, ["256.1.1.1", "1.1.1", "01.1.1.1", "0.1.1.1", "1.1.1.", "1.1.1.\u0661"]))
    assert canonical_ipv6("2001:0DB8::0001") == "2001:db8::1"
    assert canonical_ipv6("1::2::3") == ""
    assert is_ssdeep("96", "abcdefg", "abcdefg")
    assert not is_ssdeep("97", "abcdefg", "abcdefg")
    assert not is_ssdeep("96", "aaaaaaa", "abcdefg")
    assert not is_mac(["01", "02", "03", "04", "05", "06"], ":")
