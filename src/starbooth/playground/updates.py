"""The queue of updates that the bot has not taken yet, with the rules of `getUpdates`.

Source of the rules: the official Bot API server (`process_get_updates_query`, `do_get_updates`). Knows
nothing of what an update means, beyond its kind, its chat and its lifetime.
"""

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from starbooth.playground.errors import ApiError, Json

LIFETIMES_S = {
    "callback_query": 150.0,
    "pre_checkout_query": 150.0,
    "inline_query": 30.0,
    "chosen_inline_result": 600.0,
}
DEFAULT_LIFETIME_S = 24 * 3600.0
NOT_BY_DEFAULT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
MAX_ANSWER_BYTES = 4 * 1024 * 1024
MAX_PENDING = 50_000


@dataclass(frozen=True, slots=True)
class Update:
    """One update; `text` is its JSON, `chat_id` the chat whose order it keeps, `expires_at` in the queue's
    clock.
    """

    update_id: int
    kind: str
    chat_id: int
    message_id: int
    text: str
    expires_at: float
    is_doubled: bool = False


class UpdateQueue:
    """All updates of the bot, oldest first.

    now: seconds since the epoch. on_taken is called with each update that the bot has confirmed; on_added
    with each new one; on_lost with each that expired or was dropped.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float],
        next_id: int,
        on_added: Callable[[Update], None],
        on_taken: Callable[[Update], None],
        on_lost: Callable[[Update], None],
    ) -> None:
        self.next_id = next_id
        self.allowed: frozenset[str] | None = None
        self._now = now
        self._on_added, self._on_taken, self._on_lost = on_added, on_taken, on_lost
        self._pending: dict[int, Update] = {}
        self._again: list[Update] = []
        self._poll: asyncio.Future[None] | None = None
        self._last_offset: int | None = None
        self._last_poll_at = 0.0

    def __len__(self) -> int:
        return len(self._pending) + len(self._again)

    def pending(self) -> list[Update]:
        """What would be delivered next, in order, after dropping what has expired."""
        self._drop_expired()
        return [*self._again, *self._pending.values()]

    def is_allowed(self, kind: str) -> bool:
        return kind not in NOT_BY_DEFAULT if self.allowed is None else kind in self.allowed

    def allow(self, kinds: Iterable[str]) -> None:
        """Set the filter for updates created from now on; an empty list means the default."""
        self.allowed = frozenset(kinds) or None

    def add(
        self, kind: str, payload: Json, *, chat_id: int, message_id: int = 0, is_doubled: bool = False
    ) -> bool:
        """Queue one update unless the filter forbids its kind; says whether it was queued."""
        if not self.is_allowed(kind):
            return False
        update = Update(
            update_id=self.next_id,
            kind=kind,
            chat_id=chat_id,
            message_id=message_id,
            text=json.dumps(
                {"update_id": self.next_id, kind: payload}, ensure_ascii=False, separators=(",", ":")
            ),
            expires_at=self._now() + LIFETIMES_S.get(kind, DEFAULT_LIFETIME_S),
            is_doubled=is_doubled,
        )
        self.next_id += 1
        self.restore(update)
        if len(self._pending) > MAX_PENDING:
            self._on_lost(self._pending.pop(next(iter(self._pending))))
        self._on_added(update)
        return True

    def restore(self, update: Update) -> None:
        """Put back an update that was queued before a restart; the caller keeps the order."""
        self._pending[update.update_id] = update
        self._wake()

    def confirm(self, update: Update) -> None:
        """The bot has this one; an update marked as doubled is kept for one more delivery."""
        if update in self._again:
            self._again.remove(update)
            self._on_taken(update)
        elif self._pending.pop(update.update_id, None) is not None:
            if update.is_doubled:
                self._again.append(update)
                self._wake()
            else:
                self._on_taken(update)

    def drop_all(self) -> None:
        for update in self.pending():
            self._on_lost(update)
        self._pending.clear()
        self._again.clear()

    def end_poll(self, problem: ApiError | None) -> None:
        """End a waiting long poll: with an error, or with an empty answer when `problem` is None."""
        if self._poll is not None and not self._poll.done():
            if problem is None:
                self._poll.set_result(None)
            else:
                self._poll.set_exception(problem)
        self._poll = None

    async def get(self, *, offset: int, limit: int, timeout_s: int) -> list[Update]:
        """One `getUpdates`: forget what `offset` confirms, then answer, waiting up to `timeout_s` for a first
        update.

        Raises: ApiError 409 when a later call or a new webhook ends the wait.
        """
        since_s = self._now() - self._last_poll_at
        if offset == self._last_offset and timeout_s < 3 and since_s < 3:
            timeout_s = 3
        if offset == self._last_offset and since_s < 0.5:
            limit = 1
        self._last_offset, self._last_poll_at = offset, self._now()
        self._forget(offset)
        found = self._head(limit)
        if found or timeout_s == 0:
            return found
        # The server lets a new long poll end the older one, never the other way round.
        self.end_poll(terminated_by_other_poll())
        self._poll = poll = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait_for(poll, timeout_s)
        except TimeoutError:
            return []
        return self._head(limit)

    def _forget(self, offset: int) -> None:
        """Apply the offset rules: positive confirms what is below, negative keeps only the last so many."""
        if offset == 0:
            return
        if offset < 0:
            for update in self.pending()[:offset]:
                self._pending.pop(update.update_id, None)
                self._on_lost(update)
            self._again.clear()
            return
        newest_id = self.next_id - 1
        if offset > newest_id + 10:
            return
        for update in self._again[:]:
            self.confirm(update)
        for update_id in list(self._pending):
            if update_id >= offset:
                break
            self.confirm(self._pending[update_id])

    def _head(self, limit: int) -> list[Update]:
        found: list[Update] = []
        size = 0
        for update in self.pending():
            size += len(update.text)
            if len(found) == limit or (found and size > MAX_ANSWER_BYTES):
                break
            found.append(update)
        return found

    def _drop_expired(self) -> None:
        now = self._now()
        expired = [update for update in self._pending.values() if update.expires_at <= now]
        for update in expired:
            del self._pending[update.update_id]
            self._on_lost(update)

    def _wake(self) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)
        self._poll = None


def terminated_by_other_poll() -> ApiError:
    return ApiError(
        409, "terminated by other getUpdates request; make sure that only one bot instance is running"
    )
