"""The inbox: every update of Telegram is kept and committed before it is acknowledged, then handled in turn.

One update of a chat at a time, oldest first; many chats at once; what is urgent waits for nobody. Who handles
holds a lease; when a process dies, another one takes its updates over once the lease is out. Hence an update
can be handled twice, and what handling does must bear a repeat. Knows the outer form of an update only. The
web process uses it: no aiogram.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import text

from starbooth.base.database import Tx

CHANNEL = "starbooth_inbox"
LEASE = timedelta(seconds=7)
# A key of our own in a kept update; Telegram's names have no such prefix.
NOTE = "starbooth_note"
# Telegram offers an update again for 24 hours; what tells that it is a repeat is kept for twice as long.
KEEP = timedelta(hours=48)
# Telegram waits so long for an answer to what is urgent: the question whether a payment may go on.
URGENT_FOR = timedelta(seconds=10)

Update = Mapping[str, Any]


class Verdict(StrEnum):
    """What became of an update: its state in the table. `WAITING` means that it is tried again."""

    WAITING = "waiting"
    HANDLED = "handled"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """An update that this process may handle. `tries` counts this one; it rises with each claim."""

    update_id: int
    body: Update
    tries: int
    is_urgent: bool = False


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How the handling of one update ended; `delay` is how long it then waits, if it waits.

    steps_aside: while it waits, its chat no longer waits for it.
    """

    update_id: int
    verdict: Verdict
    delay: timedelta = timedelta()
    steps_aside: bool = False


class UpdateRefused(Exception):
    """What came is no update: not an object with a whole number `update_id`. Nothing was kept."""


_KEEP = text("""
    INSERT INTO starbooth.inbox (update_id, chat_key, body, is_urgent)
    SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:chats AS text[]), CAST(:bodies AS jsonb[]),
        CAST(:urgent AS boolean[]))
    ON CONFLICT (update_id) DO NOTHING
    RETURNING update_id
""")

# Only the oldest update of a chat can be claimed, and none while another one of its chat is being handled.
# What this process already has in hand is left out: its lease may have lapsed while the database was away.
_CLAIM = text("""
    UPDATE starbooth.inbox SET claimed_by = :me, claimed_until = now() + :lease, tries = tries + 1
    WHERE update_id IN (
        SELECT w.update_id FROM starbooth.inbox w
        WHERE w.state = 'waiting' AND NOT w.is_urgent AND w.due_at <= now()
            AND (w.claimed_until IS NULL OR w.claimed_until <= now())
            AND w.update_id <> ALL (CAST(:in_hand AS bigint[]))
            AND NOT EXISTS (
                SELECT FROM starbooth.inbox o
                WHERE o.chat_key = w.chat_key AND o.state = 'waiting'
                    AND (o.update_id < w.update_id OR o.claimed_until > now() AND o.update_id <> w.update_id))
        ORDER BY w.update_id LIMIT :limit FOR UPDATE SKIP LOCKED)
    RETURNING update_id, body, tries
""")

# What is urgent is claimed alone, by an index of its own, whatever else waits; or let go once it is too late.
_CLAIM_URGENT = text("""
    WITH late AS (
        UPDATE starbooth.inbox SET state = 'failed', handled_at = now()
        WHERE state = 'waiting' AND is_urgent AND received_at <= now() - CAST(:useful AS interval)
            AND (claimed_until IS NULL OR claimed_until <= now())
        RETURNING update_id, '{}'::jsonb AS body, tries, true AS is_late
    ), taken AS (
        UPDATE starbooth.inbox SET claimed_by = :me, claimed_until = now() + :lease, tries = tries + 1
        WHERE update_id IN (
            SELECT update_id FROM starbooth.inbox
            WHERE state = 'waiting' AND is_urgent AND received_at > now() - CAST(:useful AS interval)
                AND due_at <= now() AND (claimed_until IS NULL OR claimed_until <= now())
                AND update_id <> ALL (CAST(:in_hand AS bigint[]))
            ORDER BY update_id LIMIT :limit FOR UPDATE SKIP LOCKED)
        RETURNING update_id, body, tries, false AS is_late
    )
    SELECT * FROM late UNION ALL SELECT * FROM taken
""")

_RENEW = text("""
    UPDATE starbooth.inbox SET claimed_until = now() + :lease
    WHERE update_id = ANY (CAST(:in_hand AS bigint[])) AND claimed_by = :me AND state = 'waiting'
""")

# The body of a handled update is dropped at once: that it was handled is all that must be remembered.
_FINISH = text("""
    UPDATE starbooth.inbox i SET state = e.state, claimed_by = NULL, claimed_until = NULL,
        due_at = now() + e.delay,
        chat_key = CASE WHEN e.steps_aside THEN 'aside:' || i.update_id ELSE i.chat_key END,
        body = CASE e.state WHEN 'handled' THEN '{}' ELSE i.body END,
        handled_at = CASE e.state WHEN 'waiting' THEN NULL ELSE now() END
    FROM unnest(CAST(:ids AS bigint[]), CAST(:states AS text[]), CAST(:delays AS interval[]),
        CAST(:aside AS boolean[])) AS e (update_id, state, delay, steps_aside)
    WHERE i.update_id = e.update_id AND i.claimed_by = :me AND i.state = 'waiting'
""")

_GIVE_BACK = text("""
    UPDATE starbooth.inbox SET claimed_by = NULL, claimed_until = NULL, tries = tries - 1
    WHERE update_id = ANY (CAST(:in_hand AS bigint[])) AND claimed_by = :me AND state = 'waiting'
""")

_FILE_WAITS = text("""
    SELECT EXISTS (
        SELECT FROM starbooth.inbox
        WHERE chat_key = :chat AND state = 'waiting' AND update_id > :after
            AND jsonb_exists_any(body -> 'message', ARRAY['photo', 'document', 'animation']))
""")


def parse_update(body: str | bytes) -> dict[str, Any]:
    """Read one update as Telegram posts it. Raises: UpdateRefused."""
    try:
        update = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UpdateRefused from error
    if not isinstance(update, dict):
        raise UpdateRefused
    _update_id(update)
    return update


async def keep_updates(tx: Tx, updates: Sequence[Update]) -> int:
    """Keep updates of any kind, and return how many were new. Repeat: harmless, an update is kept once.

    They are there for handling when `tx` commits; acknowledge them after that. One round trip for all.
    Raises: UpdateRefused where one has no usable `update_id`; then none is kept.
    """
    if not updates:
        return 0
    values = {
        "ids": [_update_id(update) for update in updates],
        "chats": [chat_key(update) for update in updates],
        "bodies": [_storable_json(update) for update in updates],
        "urgent": [is_urgent(update) for update in updates],
    }
    return len((await tx.execute(_KEEP, values)).all())


async def announce_updates(tx: Tx) -> None:
    """Wake the processes that handle, when `tx` commits: needed where the one that keeps does not handle."""
    await tx.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})


async def claim_updates(tx: Tx, *, me: str, in_hand: Sequence[int], limit: int) -> list[Claimed]:
    """Take up to `limit` updates whose turn it is, oldest first, for the length of the lease.

    in_hand: what this process is handling. Repeat: claims others.
    """
    values = {"me": me, "lease": LEASE, "in_hand": list(in_hand), "limit": limit}
    rows = await tx.execute(_CLAIM, values)
    claimed = [Claimed(update_id=row.update_id, body=row.body, tries=row.tries) for row in rows]
    return sorted(claimed, key=lambda each: each.update_id)


async def claim_urgent(
    tx: Tx, *, me: str, in_hand: Sequence[int], limit: int
) -> tuple[list[Claimed], list[int]]:
    """Take up to `limit` urgent updates, whatever else waits, also of their chats, and name those let go.

    One that came more than ten seconds ago helps nobody any more: it has failed. Repeat: claims others.
    """
    values = {"me": me, "lease": LEASE, "in_hand": list(in_hand), "limit": limit, "useful": URGENT_FOR}
    rows = (await tx.execute(_CLAIM_URGENT, values)).all()
    claimed = [
        Claimed(update_id=row.update_id, body=row.body, tries=row.tries, is_urgent=True)
        for row in rows
        if not row.is_late
    ]
    return claimed, [row.update_id for row in rows if row.is_late]


async def renew_claims(tx: Tx, *, me: str, in_hand: Sequence[int]) -> None:
    """Start the lease anew for what this process still has. Repeat: harmless."""
    await tx.execute(_RENEW, {"me": me, "lease": LEASE, "in_hand": list(in_hand)})


async def finish_updates(tx: Tx, endings: Sequence[Ending], *, me: str) -> None:
    """Note how handling ended; a claim that was lost meanwhile is its new holder's. Repeat: harmless."""
    values = {
        "me": me,
        "ids": [ending.update_id for ending in endings],
        "states": [ending.verdict.value for ending in endings],
        "delays": [ending.delay for ending in endings],
        "aside": [ending.steps_aside for ending in endings],
    }
    await tx.execute(_FINISH, values)


async def note_in_update(tx: Tx, update_id: int, note: str) -> None:
    """Write into an update what handling it has done, so that a second handling finds it as `update[NOTE]`.

    For what bears no key of its own: the note and the deed commit together. Repeat: the last note stays.
    """
    await tx.execute(
        text(
            "UPDATE starbooth.inbox"
            " SET body = jsonb_set(body, CAST(:path AS text[]), to_jsonb(CAST(:note AS text)))"
            " WHERE update_id = :id AND state = 'waiting'"
        ),
        {"id": update_id, "path": [NOTE], "note": note},
    )


async def give_back(tx: Tx, *, me: str, in_hand: Sequence[int]) -> None:
    """Let others have these updates at once; the try is not counted. Repeat: harmless."""
    await tx.execute(_GIVE_BACK, {"me": me, "in_hand": list(in_hand)})


async def forget_old_updates(tx: Tx) -> int:
    """Remove updates that ended and came more than 48 hours ago; returns how many. Repeat: harmless."""
    rows = await tx.execute(
        text(
            "DELETE FROM starbooth.inbox WHERE state <> 'waiting'"
            " AND received_at < now() - CAST(:keep AS interval) RETURNING 1"
        ),
        {"keep": KEEP},
    )
    return len(rows.all())


def is_urgent(update: Update) -> bool:
    """Whether Telegram waits for an answer before money moves."""
    return "pre_checkout_query" in update


def is_about_money(update: Update) -> bool:
    """Whether this tells of money that has moved. It is told once, so it must not be given up lightly."""
    message = update.get("message")
    return "subscription" in update or (
        isinstance(message, Mapping) and ("successful_payment" in message or "refunded_payment" in message)
    )


async def is_file_waiting(tx: Tx, *, chat_id: int, after_update_id: int) -> bool:
    """Whether a photo or a file of a private chat waits behind this update: its handler will look, too."""
    found = await tx.scalar(_FILE_WAITS, {"chat": str(chat_id), "after": after_update_id})
    return bool(found)


def chat_key(update: Update) -> str:
    """Whose turn an update takes: its chat, in a group each person there, else its person, else nobody's."""
    if is_urgent(update):
        return f"update:{_update_id(update)}"
    for payload in update.values():
        if isinstance(payload, Mapping):
            message = payload.get("message")
            place = message if isinstance(message, Mapping) else payload
            chat_id = _id_in(place, "chat") or _id_in(payload, "chat")
            if chat_id is None and "subscription" in update:
                chat_id = _id_in(payload, "user")  # in turn with its payments, messages of that chat
            person_id = _id_in(payload, "from") or _id_in(payload, "user")
            if chat_id is not None:
                is_group = chat_id.startswith("-") and person_id is not None
                return f"{chat_id}:{person_id}" if is_group else chat_id
            if person_id is not None:
                return f"user:{person_id}"
    return f"update:{_update_id(update)}"


def _id_in(payload: Mapping[str, Any], name: str) -> str | None:
    part = payload.get(name)
    found = part.get("id") if isinstance(part, Mapping) else None
    return str(found) if isinstance(found, int) else None


def _update_id(update: Update) -> int:
    update_id = update.get("update_id")
    if not isinstance(update_id, int) or isinstance(update_id, bool) or not 0 <= update_id < 2**63:
        raise UpdateRefused
    return update_id


def _storable_json(update: Update) -> str:
    return json.dumps(_storable(update), ensure_ascii=False)


def _storable(value: Any) -> Any:
    """The value without what `jsonb` refuses: NUL, lone surrogates, numbers that are none.

    One update that cannot be stored would otherwise hold up all that come after it.
    """
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_storable(name): _storable(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_storable(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
