"""Guests who bring friends: both are paid after the friend's first purchase.

The two are paid in transactions of their own, the friend first, since a transaction moves the stars of one
account only; what is left over after a crash, the next sweep pays. Knows no wording.

Locks: the account of who is paid, then the referral.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from starbooth.base.database import Database, Tx, sql
from starbooth.domain.stars import ledger
from starbooth.domain.stars.errors import TooManyStars
from starbooth.domain.users.guests import Language

_CODE_BYTES = 8
_AT_ONCE = 100
_LEASE = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """A guest's own code, and what came of it. `rewarded`: friends that they were paid for."""

    code: str
    friends: int
    rewarded: int


@dataclass(frozen=True, kw_only=True)
class GiftNews:
    """A gift that a guest should hear of. `kind`: `friend` (who came) or `referrer` (who brought them)."""

    key: str
    kind: str
    chat_id: int
    language: Language
    amount_stars: int
    balance_stars: int


_LOCK_ACCOUNT = sql('SELECT "totalBoughtStars" FROM public."User" WHERE "id" = :id FOR NO KEY UPDATE')


async def read_invitation(tx: Tx, *, user_id: str) -> Invitation:
    """The guest's code, drawn at random the first time, and how many friends it brought. Safe to repeat."""
    await tx.execute(
        sql(
            "INSERT INTO starbooth.referral_codes (user_id, code) VALUES (:user_id, :code)"
            " ON CONFLICT (user_id) DO NOTHING"
        ),
        {"user_id": user_id, "code": secrets.token_hex(_CODE_BYTES)},
    )
    row = (
        await tx.execute(
            sql("""
                SELECT c.code, count(r.friend_id) AS friends, count(r.rewarded_at) AS rewarded
                FROM starbooth.referral_codes c LEFT JOIN starbooth.referrals r ON r.referrer_id = c.user_id
                WHERE c.user_id = :user_id GROUP BY c.code
            """),
            {"user_id": user_id},
        )
    ).one()
    return Invitation(**row._mapping)


async def note_referral(tx: Tx, *, friend_id: str, code: str) -> bool:
    """Note whose link a guest came by; the caller knows that they are new. False for an unknown code, for
    one's own, and where it is known already. Repeat: harmless, the first link stays.
    """
    rows = await tx.execute(
        sql("""
            INSERT INTO starbooth.referrals (friend_id, referrer_id)
            SELECT :friend_id, user_id FROM starbooth.referral_codes
            WHERE code = :code AND user_id <> :friend_id
            ON CONFLICT DO NOTHING RETURNING 1
        """),
        {"friend_id": friend_id, "code": code},
    )
    return rows.first() is not None


async def note_purchase(tx: Tx, *, user_id: str) -> None:
    """This guest bought stars: if a friend brought them, both are due. Repeat: harmless, it counts once."""
    await tx.execute(
        sql("UPDATE starbooth.referrals SET due_at = now() WHERE friend_id = :user_id AND due_at IS NULL"),
        {"user_id": user_id},
    )


async def pay_due(database: Database, *, reward_stars: int, cap: int) -> int:
    """Pay what is due: each friend, and who brought them, `reward_stars`; returns how many gifts that were.

    cap: how many friends somebody is paid for; the friend is paid beyond it too. Where the operator gives
    nothing (0), what is due lapses. A first purchase that went back meanwhile does not count.
    Several at once, and a death at any point: nobody is paid twice, and the next call goes on.
    """
    async with database.transaction() as tx:
        due = await _find_due(tx)
    paid = 0
    for friend_id, referrer_id in due:
        async with database.transaction() as tx:
            if reward_stars:
                paid += await _pay_friend(tx, friend_id, reward_stars)
            else:
                await _lapse(tx, friend_id)
        async with database.transaction() as tx:
            paid += await _pay_referrer(tx, friend_id, referrer_id, cap=cap)
    return paid


async def claim_gift_news(tx: Tx, *, limit: int) -> list[GiftNews]:
    """News that guests are owed, to oneself for a minute: who dies over it leaves it to others."""
    rows = await tx.execute(
        sql("""
            WITH claimed AS (
                UPDATE starbooth.gift_news SET due_at = now() + :lease
                WHERE key IN (
                    SELECT key FROM starbooth.gift_news WHERE due_at <= now()
                    ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED)
                RETURNING key, user_id, kind, amount_stars
            )
            SELECT c.key, c.kind, g.chat_id, g.language, c.amount_stars, u."stars" AS balance_stars
            FROM claimed c JOIN starbooth.guests g ON g.user_id = c.user_id
            JOIN public."User" u ON u."id" = c.user_id
        """),
        {"lease": _LEASE, "limit": limit},
    )
    return [GiftNews(**{**row._mapping, "language": Language(row.language)}) for row in rows]


async def note_gift_told(tx: Tx, *, key: str) -> None:
    """The guest has been told, or cannot be. Repeat: harmless."""
    await tx.execute(sql("DELETE FROM starbooth.gift_news WHERE key = :key"), {"key": key})


async def _find_due(tx: Tx) -> list[tuple[str, str]]:
    rows = await tx.execute(
        sql("""
            SELECT friend_id, referrer_id FROM starbooth.referrals
            WHERE due_at IS NOT NULL AND rewarded_at IS NULL AND refusal IS NULL
            ORDER BY due_at LIMIT :limit
        """),
        {"limit": _AT_ONCE},
    )
    return [(row.friend_id, row.referrer_id) for row in rows]


async def _pay_friend(tx: Tx, friend_id: str, reward_stars: int) -> bool:
    """Pay who came. The sum is fixed here, for both: the operator may change it before the second is paid."""
    bought_stars = await tx.scalar(_LOCK_ACCOUNT, {"id": friend_id})
    if not bought_stars:
        await tx.execute(
            sql(
                "UPDATE starbooth.referrals SET due_at = NULL"
                " WHERE friend_id = :id AND friend_paid_at IS NULL AND refusal IS NULL"
            ),
            {"id": friend_id},
        )
        return False
    row = await tx.execute(
        sql("""
            UPDATE starbooth.referrals SET friend_paid_at = now(), reward_stars = :stars
            WHERE friend_id = :id AND due_at IS NOT NULL AND friend_paid_at IS NULL AND refusal IS NULL
            RETURNING 1
        """),
        {"id": friend_id, "stars": reward_stars},
    )
    return row.first() is not None and await _give(
        tx, user_id=friend_id, friend_id=friend_id, kind="friend", amount_stars=reward_stars
    )


async def _lapse(tx: Tx, friend_id: str) -> None:
    """There is no such gift any more. Where the friend was paid, who brought them still is."""
    await tx.execute(_LOCK_ACCOUNT, {"id": friend_id})
    await tx.execute(
        sql(
            "UPDATE starbooth.referrals SET refusal = 'no_reward'"
            " WHERE friend_id = :id AND friend_paid_at IS NULL AND refusal IS NULL"
        ),
        {"id": friend_id},
    )


async def _pay_referrer(tx: Tx, friend_id: str, referrer_id: str, *, cap: int) -> bool:
    """Pay who brought the friend, unless they have been paid for `cap` friends."""
    await tx.execute(_LOCK_ACCOUNT, {"id": referrer_id})
    reward_stars = await tx.scalar(
        sql("""
            SELECT reward_stars FROM starbooth.referrals
            WHERE friend_id = :id AND friend_paid_at IS NOT NULL AND rewarded_at IS NULL AND refusal IS NULL
            FOR UPDATE
        """),
        {"id": friend_id},
    )
    if reward_stars is None:
        return False
    rewarded = await tx.scalar(
        sql("SELECT count(rewarded_at) FROM starbooth.referrals WHERE referrer_id = :id"),
        {"id": referrer_id},
    )
    if (rewarded or 0) >= cap:
        await _end(tx, friend_id, refusal="cap")
        return False
    if not await _give(
        tx, user_id=referrer_id, friend_id=friend_id, kind="referrer", amount_stars=reward_stars
    ):
        await _end(tx, friend_id, refusal=TooManyStars.code)
        return False
    await tx.execute(
        sql("UPDATE starbooth.referrals SET rewarded_at = now() WHERE friend_id = :id"), {"id": friend_id}
    )
    return True


async def _end(tx: Tx, friend_id: str, *, refusal: str) -> None:
    await tx.execute(
        sql(
            "UPDATE starbooth.referrals SET refusal = :refusal"
            " WHERE friend_id = :id AND rewarded_at IS NULL AND refusal IS NULL"
        ),
        {"id": friend_id, "refusal": refusal},
    )


async def _give(tx: Tx, *, user_id: str, friend_id: str, kind: str, amount_stars: int) -> bool:
    """Give the stars and owe the news of it. False where the purse is full: that must not hold up others."""
    key = f"referral:{friend_id}:{kind}"
    try:
        await ledger.credit_bonus(
            tx, user_id=user_id, amount=amount_stars, key=key, facts={"reason": "referral", "side": kind}
        )
    except TooManyStars:
        return False
    await tx.execute(
        sql(
            "INSERT INTO starbooth.gift_news (key, user_id, kind, amount_stars)"
            " VALUES (:key, :user_id, :kind, :amount_stars)"
        ),
        {"key": key, "user_id": user_id, "kind": kind, "amount_stars": amount_stars},
    )
    return True
