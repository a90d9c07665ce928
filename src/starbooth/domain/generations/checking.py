"""Asking the operator's own checker, where there is one, before anything is ordered.

It costs money and time, so the booth's own rules come first. What was ordered once is not asked about again:
neither a message that is handled twice nor a button under a picture.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import structlog

from starbooth.base.database import Database
from starbooth.domain.generations.request import Limits, PictureRequest, clean_words, read_prompt
from starbooth.domain.orders.place import is_placed
from starbooth.domain.prompts.errors import PromptRefused, PromptUnchecked
from starbooth.domain.prompts.expand import Line
from starbooth.domain.prompts.gate import require_allowed
from starbooth.domain.users.operators import raise_alert
from starbooth.outside.checker.contract import Checker, CheckerUnavailable, Question

_log = structlog.get_logger()
_LONGEST_OPTIONS = 8000


@dataclass(frozen=True, kw_only=True)
class PromptCheck:
    """The checker. when_away: what becomes of prompts that it cannot be asked about.

    disguise: a name for a user id that the checker may know, always the same.
    """

    checker: Checker
    when_away: Literal["allow", "refuse"]
    disguise: Callable[[str], str]


async def check_prompt(
    database: Database, check: PromptCheck | None, ask: PictureRequest, *, limits: Limits
) -> None:
    """Have the words checked from outside; call it before the transaction that places the order.

    Repeat: harmless; what was ordered by this request's key passes. Raises: PromptEmpty, PromptTooLong,
    TooManyOptions, PromptsPaused, PromptRefused, which `note_refusal` must count, PromptUnchecked.
    """
    if check is None:
        return
    prompt, line = read_prompt(ask.prompt)
    async with database.statement() as tx:
        if await is_placed(tx, user_id=ask.user_id, request_key=ask.request_key):
            return
        await require_allowed(
            tx, [prompt], user_id=ask.user_id, request_key=ask.request_key, leniency=limits.leniency
        )
    question = Question(
        prompt=_all_words(prompt, line),
        negative=clean_words(ask.choices.negative),
        user=check.disguise(ask.user_id),
    )
    try:
        verdict = await check.checker.check(question)
    except CheckerUnavailable as error:
        await _tell_operators(database, check, error)
        if check.when_away == "refuse":
            raise PromptUnchecked from error
        return
    if not verdict.is_allowed:
        raise PromptRefused(
            user_id=ask.user_id, request_key=ask.request_key, cause="checker", detail=verdict.reason
        )


def _all_words(prompt: str, line: Line) -> str:
    """Everything that could be drawn, line by line; as the guest wrote it where that would be too much."""
    if not line.has_groups:
        return prompt
    options = "\n".join(dict.fromkeys(line.pick(place) for place in range(line.size)))
    return options if len(options) <= _LONGEST_OPTIONS else prompt


async def _tell_operators(database: Database, check: PromptCheck, error: CheckerUnavailable) -> None:
    """A line in the log each time, and news once an hour."""
    _log.error("prompt_check.unavailable", reason=error.reason, prompts=check.when_away)
    facts = {"reason": error.reason, "when_away": check.when_away}
    async with database.transaction() as tx:
        await raise_alert(
            tx, key=f"prompt_check:{datetime.now(UTC):%Y-%m-%dT%H}", kind="prompt_check_away", facts=facts
        )
