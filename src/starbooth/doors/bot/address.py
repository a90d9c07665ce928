"""Where Telegram's webhook lies, and the secret by which it proves itself. Apart, so that the bot process can
name them without loading the web."""

import hashlib
import hmac

WEBHOOK_PATH = "/hooks/telegram"


def webhook_secret(secret: bytes) -> str:
    """The token that Telegram sends along, made from the booth's signing secret; of `A-Za-z0-9_-` only."""
    return hmac.new(secret, b"telegram webhook", hashlib.sha256).hexdigest()
