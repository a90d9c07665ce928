"""Bot API methods by which the bot receives updates: getUpdates, and the three about its webhook."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from starbooth.playground.errors import ApiError, Json, bad_request
from starbooth.playground.params import Params
from starbooth.playground.profile import allowed_updates
from starbooth.playground.world import World

MAX_POLL_S = 50
_PORTS = (443, 80, 88, 8443)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class RawJson:
    """A result that is JSON text already."""

    text: str


async def get_updates(world: World, params: Params) -> RawJson:
    if world.webhook:
        raise ApiError(
            409,
            "can't use getUpdates method while webhook is active; "
            "use deleteWebhook to delete the webhook first",
        )
    _allow(world, params)
    updates = await world.updates.get(
        offset=params.integer("offset"),
        limit=params.integer("limit", 100, low=1, high=100),
        timeout_s=params.integer("timeout", low=0, high=MAX_POLL_S),
    )
    return RawJson("[" + ",".join(update.text for update in updates) + "]")


def set_webhook(world: World, params: Params) -> bool:
    url = params.text("url")
    if not url:
        return delete_webhook(world, params)
    _check_url(url)
    secret = params.text("secret_token")
    if secret and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret):
        raise bad_request("secret token contains unallowed characters")
    _allow(world, params)
    if params.boolean("drop_pending_updates"):
        world.updates.drop_all()
    world.updates.end_poll(ApiError(409, "terminated by setWebhook request"))
    world.webhook = {
        "url": url,
        "secret_token": secret,
        "max_connections": params.integer("max_connections", 40, low=1, high=100),
    }
    _webhook_changed(world)
    return True


def delete_webhook(world: World, params: Params) -> bool:
    if params.boolean("drop_pending_updates"):
        world.updates.drop_all()
    world.webhook = {}
    _webhook_changed(world)
    return True


def get_webhook_info(world: World, params: Params) -> Json:  # noqa: ARG001 - the signature of all methods
    info: Json = {
        "url": world.webhook.get("url", ""),
        "has_custom_certificate": False,
        "pending_update_count": len(world.updates),
    }
    kept = ("max_connections", "last_error_date", "last_error_message")
    info |= {name: world.webhook[name] for name in kept if name in world.webhook}
    if world.updates.allowed is not None:
        info["allowed_updates"] = sorted(world.updates.allowed)
    return info


def _allow(world: World, params: Params) -> None:
    kinds = allowed_updates(params)
    if kinds is not None and (frozenset(kinds) or None) != world.updates.allowed:
        world.updates.allow(kinds)
        world.keep_settings()


def _webhook_changed(world: World) -> None:
    world.keep_settings()
    if world.on_webhook is not None:
        world.on_webhook()


def _check_url(url: str) -> None:
    """Telegram takes HTTPS only; like a Bot API server of one's own, HTTP is taken for this machine."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise bad_request("invalid webhook URL specified") from None
    if not parts.hostname:
        raise bad_request("invalid webhook URL specified")
    if parts.scheme == "http" and parts.hostname in _LOOPBACK:
        return
    if parts.scheme != "https":
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    if port not in (None, *_PORTS):
        raise bad_request("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")
