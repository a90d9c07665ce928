"""Links that open a private file until they expire: HMAC-SHA256 over path and time.

Knows no file and no address: a path goes in, the same path with a query comes out.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime


def sign(path: str, *, secret: bytes, expires_at: datetime) -> str:
    """`path?expires=…&signature=…`, good until `expires_at` (aware; whole seconds).

    `path` must be the path that will be checked, letter for letter, and have no query of its own.
    """
    if "?" in path or "#" in path or "\n" in path:
        raise ValueError("a path to sign has no query, fragment or line break")
    expires = str(int(expires_at.timestamp()))
    return f"{path}?expires={expires}&signature={_signature(path, expires, secret)}"


def is_valid(path: str, query: Mapping[str, str], *, secret: bytes, now: datetime) -> bool:
    """Whether `query` holds our signature for `path`, not expired at `now`. In constant time."""
    expires, given = query.get("expires", ""), query.get("signature", "")
    is_ours = hmac.compare_digest(given.encode(errors="replace"), _signature(path, expires, secret).encode())
    is_time = expires.isascii() and expires.isdigit() and len(expires) <= 12
    return is_ours and is_time and now.timestamp() < int(expires)


def _signature(path: str, expires: str, secret: bytes) -> str:
    # The first line keeps these signatures apart from others made with the same secret.
    message = "\n".join(("starbooth link", expires, path)).encode(errors="replace")
    digest = hmac.new(secret, message, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
