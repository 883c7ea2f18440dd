"""Digests that only this site can compute: keyed by `myproject.secret`."""

import hmac

from .request import Request


def keyed_digest(request: Request, purpose: str, text: str) -> str:
    """Return the HMAC-SHA-256 of `text` in 64 hexadecimal digits; another `purpose` gives another digest."""
    secret = request.registry.settings["myproject.secret"].encode()
    return hmac.digest(secret, f"{purpose}:{text}".encode("utf-8", "surrogatepass"), "sha256").hex()


def is_keyed_digest(request: Request, digest: str, purpose: str, text: str) -> bool:
    """Return whether `digest` is the keyed digest of `text`, after the same time for every wrong one."""
    return hmac.compare_digest(digest.encode("utf-8", "surrogatepass"), keyed_digest(request, purpose, text).encode())
