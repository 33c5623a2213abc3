"""Passwords: how they are hashed, checked and made (argon2id, RFC 9106, the second recommended parameters)."""

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LEAST = 12
MOST = 256
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # none that look alike on paper


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)


@cache
def _nobody() -> str:
    return _hasher().hash(secrets.token_urlsafe())


def hash_password(password: str) -> str:
    """Hash a password with a salt of its own."""
    return _hasher().hash(password)


def password_holds(password: str, hashed: str | None) -> bool:
    """Check a password; takes as long for an account that does not exist (None) as for one that does."""
    try:
        return _hasher().verify(hashed or _nobody(), password) and hashed is not None
    except (VerificationError, InvalidHashError):
        return False


def make_password() -> str:
    """Make a first password: 20 letters and digits in four groups, 100 bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(4))


def why_weak(password: str, name: str) -> str:
    """Say what a new password lacks, empty when it may be taken (NIST SP 800-63B: length counts, not kinds)."""
    if len(password) < LEAST:
        return f"at least {LEAST} characters"
    if len(password) > MOST:
        return f"at most {MOST} characters"
    if len(set(password)) < 5 or name.casefold() in password.casefold():
        return "less repetition, and not the name of the account"
    return ""
