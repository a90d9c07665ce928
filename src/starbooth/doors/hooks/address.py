"""The webhook's address, which names the ticket and proves that we gave it out. Loads no web framework."""

import hashlib
import hmac


def hook_path(secret: bytes, engine: str, order_id: str, number: int) -> str:
    """The path of the webhook for one ticket at one engine."""
    return f"/hooks/{engine}/{order_id}/{number}/{hook_token(secret, engine, order_id, number)}"


def hook_token(secret: bytes, engine: str, order_id: str, number: int) -> str:
    """What only we can put into the path of this ticket. Compare it in constant time."""
    facts = f"engine hook {engine} {order_id} {number}"
    return hmac.new(secret, facts.encode(), hashlib.sha256).hexdigest()[:32]
