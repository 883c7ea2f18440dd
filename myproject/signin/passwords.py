"""Hashes of passwords."""

import secrets
import unicodedata
from collections.abc import Mapping
from typing import Any

import argon2
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

# Characters, after normalisation.
MAX_LENGTH = 1024


def normalize(password: str) -> str:
    """Return `password` in Unicode's NFKC: the same text for the different encodings that keyboards send.

    Source: NIST SP 800-63B-3, 5.1.1.2, which allows NFKC. Revision 4 names NFC; NFKC also turns the full-width letters
    of East Asian keyboards into plain ones. Another form would lock out the people whose passwords it changes.
    """
    # A million accents take minutes to normalise. NFKC makes at most four characters into one, so a password that is
    # cut here is still too long.
    return unicodedata.normalize("NFKC", password[: 4 * (MAX_LENGTH + 1)])


class Hasher:
    """Argon2id (RFC 9106) with `time_cost` passes over `memory_cost` KiB in `parallelism` threads."""

    def __init__(self, time_cost: int, memory_cost: int, parallelism: int) -> None:
        self._argon2 = argon2.PasswordHasher(time_cost, memory_cost, parallelism)
        # A hash of random bytes: no password matches it, and verifying it takes as long as any other.
        self._unmatchable_hash = self._argon2.hash(secrets.token_bytes())

    def hash(self, password: str) -> str:
        """Return a new hash of `password`. Raises `ValueError` if the password is longer than `MAX_LENGTH`."""
        password = normalize(password)
        if len(password) > MAX_LENGTH:
            raise ValueError(f"A password has at most {MAX_LENGTH} characters.")
        return self._argon2.hash(_encode(password))

    def verify(self, password: str, password_hash: str | None) -> bool:
        """Return whether `password_hash` is a hash of `password`; `False` for `None`, after the same time.

        Each call computes exactly one hash, so that its duration does not reveal which accounts exist.
        """
        normalized = normalize(password)
        known = self._unmatchable_hash if password_hash is None or len(normalized) > MAX_LENGTH else password_hash
        try:
            return self._argon2.verify(known, _encode(normalized[:MAX_LENGTH]))
        except VerifyMismatchError:
            return False
        except (InvalidHashError, VerificationError, UnicodeEncodeError):
            # Argon2 cannot parse the stored hash, and has computed none yet. It can parse our own: if that fails, there
            # is no memory or thread left.
            if known is self._unmatchable_hash:
                raise
            return self.verify(password, None)

    def needs_rehash(self, password_hash: str) -> bool:
        """Return whether `password_hash`, which a password was verified against, was made with other parameters."""
        return self._argon2.check_needs_rehash(password_hash)


def make_hasher(settings: Mapping[str, Any]) -> Hasher:
    """Return the Hasher of the settings `argon2.time_cost`, `argon2.memory_cost` and `argon2.parallelism`."""
    return Hasher(*(settings[f"argon2.{cost}"] for cost in ("time_cost", "memory_cost", "parallelism")))


def _encode(password: str) -> bytes:
    # No browser sends a lone surrogate. A client that does gets the usual answer, not an error.
    return password.encode("utf-8", "surrogatepass")
