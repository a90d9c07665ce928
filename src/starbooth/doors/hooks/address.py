"""The webhook's address, which names the ticket and proves that we gave it out. Loads no web framework."""

import hashlib
import hmac


def hook_path(secret: bytes, order_id: str, number: int) -> str:
    """The path of the webhook for one ticket."""
    return f"/hooks/engine/{order_id}/{number}/{hook_token(secret, order_id, number)}"


def hook_token(secret: bytes, order_id: str, number: int) -> str:
    """What only we can put into the path of this ticket. Compare it in constant time."""
    return hmac.new(secret, f"engine hook {order_id} {number}".encode(), hashlib.sha256).hexdigest()[:32]
