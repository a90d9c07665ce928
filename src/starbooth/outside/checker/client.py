"""A checker over HTTP: `{"prompt", "negative", "user"}` goes there, `{"allowed", "reason"}` comes back."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from starbooth.outside.checker.contract import CheckerUnavailable, Question, Verdict

ANSWER_WITHIN_S = 4.0
LEFT_ALONE_S = 15.0
_LONGEST_ANSWER = 16_384
_LONGEST_REASON = 200


class HttpChecker:
    """One address. After a failure it is left alone for a while, so that not every guest waits for it."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        *,
        key: str | None,
        answer_within_s: float = ANSWER_WITHIN_S,
        left_alone_s: float = LEFT_ALONE_S,
    ) -> None:
        self._http, self._url = http, url
        self._answer_within_s, self._left_alone_s = answer_within_s, left_alone_s
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._away_until = float("-inf")

    async def check(self, question: Question) -> Verdict:
        """Ask once; no answer is asked for twice. Raises: CheckerUnavailable."""
        if time.monotonic() < self._away_until:
            raise CheckerUnavailable("checker: it failed a moment ago")
        try:
            return await self._ask(question)
        except CheckerUnavailable:
            self._away_until = time.monotonic() + self._left_alone_s
            raise

    async def _ask(self, question: Question) -> Verdict:
        asked = {"prompt": question.prompt, "negative": question.negative, "user": question.user}
        try:
            async with asyncio.timeout(self._answer_within_s):  # httpx counts the wait for each piece alone
                answer = await self._http.post(self._url, json=asked, headers=self._headers)
        except (httpx.HTTPError, TimeoutError) as error:
            raise CheckerUnavailable(f"checker: {type(error).__name__}") from error
        if answer.status_code != httpx.codes.OK:
            raise CheckerUnavailable(f"checker: status {answer.status_code}")
        return _read(answer)


def _read(answer: httpx.Response) -> Verdict:
    """Nothing of the answer is told on: it may quote the prompt."""
    if len(answer.content) > _LONGEST_ANSWER:
        raise CheckerUnavailable("checker: the answer is too long")
    try:
        said = answer.json()
    except (ValueError, RecursionError):
        raise CheckerUnavailable("checker: the answer is not JSON") from None
    if not isinstance(said, dict) or not isinstance(said.get("allowed"), bool):
        raise CheckerUnavailable('checker: the answer has no "allowed" that is true or false')
    return Verdict(is_allowed=said["allowed"], reason=str(said.get("reason") or "")[:_LONGEST_REASON])


@asynccontextmanager
async def opened_checker(url: str, *, key: str | None) -> AsyncIterator[HttpChecker]:
    """The checker at this address, with connections of its own. Follows no redirect."""
    timeout = httpx.Timeout(ANSWER_WITHIN_S, connect=2.0)
    async with httpx.AsyncClient(timeout=timeout, trust_env=False, follow_redirects=False) as http:
        yield HttpChecker(http, url, key=key)
