"""The operator's checker of prompts, as the settings name it."""

import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starbooth.base.settings import Settings
from starbooth.domain.generations.checking import PromptCheck


@asynccontextmanager
async def opened_prompt_check(settings: Settings) -> AsyncIterator[PromptCheck | None]:
    """The checker, closed at the end; None where none is set."""
    if settings.prompt_check_url is None:
        yield None
        return
    from starbooth.outside.checker.client import opened_checker  # most booths have none, and need no client

    key = settings.prompt_check_key
    secret = settings.signing_secret()
    async with opened_checker(
        settings.prompt_check_url, key=None if key is None else key.get_secret_value()
    ) as checker:
        yield PromptCheck(
            checker=checker,
            when_away=settings.prompt_check_away,
            disguise=lambda user_id: hmac.new(
                secret, f"prompt check {user_id}".encode(), hashlib.sha256
            ).hexdigest()[:32],
        )
