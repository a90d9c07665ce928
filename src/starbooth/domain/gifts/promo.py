"""Promo codes: an operator gives a word away, and so many guests may turn it into stars, each once.

Locks: the guest's account, then the row of the code.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from starbooth.base.database import Tx, sql
from starbooth.domain.gifts.errors import (
    CodeRefused,
    CodeTaken,
    CodeTooOld,
    CodeUsedByYou,
    CodeUsedUp,
    NoSuchCode,
)
from starbooth.domain.orders import cart
from starbooth.domain.stars import ledger
from starbooth.domain.users.operators import log_deed
from starbooth.domain.users.pace import Pace, note_turn, require_turn

# Enough for slips of the finger; at this pace one guest guesses at six letters for centuries.
WRONG_CODES = Pace(kind="wrong_code", most=10, within=timedelta(hours=1))
LARGEST_USES = 1_000_000
LONGEST_LIFE_DAYS = 3650
_FORM = re.compile(r"[A-Z0-9]{3,32}")


@dataclass(frozen=True, kw_only=True)
class Redeemed:
    """What a code gave. `is_repeat`: this very message had been handled before.

    waits: something that the guest wanted waits for stars, and starts now if they suffice.
    """

    code: str
    amount_stars: int
    balance_stars: int
    waits: bool
    is_repeat: bool


@dataclass(frozen=True, kw_only=True)
class PromoCode:
    """A code as operators see it."""

    code: str
    amount_stars: int
    claims: int
    most_claims: int
    expires_at: datetime | None
    operator: str
    created_at: datetime


_READ = sql("""
    SELECT p.amount_stars, c.request_key, coalesce(p.expires_at <= now(), false) AS is_too_old
    FROM starbooth.promo_codes p
    LEFT JOIN starbooth.promo_claims c ON c.code = p.code AND c.user_id = :user_id
    WHERE p.code = :code
""")
_TAKE = sql(
    "UPDATE starbooth.promo_codes SET claims = claims + 1 WHERE code = :code AND claims < most_claims"
    " RETURNING 1"
)
_CLAIM = sql(
    "INSERT INTO starbooth.promo_claims (code, user_id, request_key) VALUES (:code, :user_id, :request_key)"
)


def read_code(typed: str) -> str | None:
    """The code as it is stored: without blanks, in capitals. None for what cannot be one."""
    bare = "".join(typed.split())
    code = bare.upper() if bare.isascii() else ""
    return code if _FORM.fullmatch(code) else None


async def redeem(tx: Tx, *, user_id: str, typed: str, request_key: str) -> Redeemed | NoSuchCode:
    """Turn a code into stars, once per guest and as often in all as it may be used.

    Returns NoSuchCode instead of raising it, since the guess is counted with it: commit either way.
    Locks: the guest's account, then the code. Repeat: the same message repeats the answer.
    Raises: TooOften (too many wrong guesses lately, whatever the code), CodeTooOld, CodeUsedUp,
    CodeUsedByYou, TooManyStars; then `tx` must be rolled back.
    """
    await require_turn(tx, user_id=user_id, pace=WRONG_CODES, key=request_key)
    values = {"code": read_code(typed), "user_id": user_id}
    known = (await tx.execute(_READ, values)).first()
    if known is None:
        await note_turn(tx, user_id=user_id, pace=WRONG_CODES, key=request_key)
        return NoSuchCode()
    if known.request_key is None:
        if known.is_too_old:
            raise CodeTooOld
        if (await tx.execute(_TAKE, values)).first() is None:
            raise CodeUsedUp
        await tx.execute(_CLAIM, {**values, "request_key": request_key})
    elif known.request_key != request_key:
        raise CodeUsedByYou
    moved = await ledger.credit_bonus(
        tx,
        user_id=user_id,
        amount=known.amount_stars,
        key=f"promo:{values['code']}:{user_id}",
        facts={"reason": "promo", "code": values["code"]},
    )
    waiting = await cart.fund(tx, user_id)
    return Redeemed(
        code=str(values["code"]),
        amount_stars=known.amount_stars,
        balance_stars=moved.balance_stars,
        waits=waiting is not None,
        is_repeat=moved.is_repeat,
    )


async def add_code(
    tx: Tx, *, typed: str, amount_stars: int, uses: int, days: int | None, operator: str
) -> PromoCode:
    """Make a code that `uses` guests can turn into `amount_stars` each, within so many days, or for good.

    Not safe to repeat: the second time there is one. Raises: CodeRefused, CodeTaken.
    """
    code = _check(typed, amount_stars=amount_stars, uses=uses, days=days)
    row = (
        await tx.execute(
            sql("""
                INSERT INTO starbooth.promo_codes (code, amount_stars, most_claims, expires_at, operator)
                VALUES (:code, :amount_stars, :uses, now() + make_interval(days => CAST(:days AS integer)),
                    :operator)
                ON CONFLICT DO NOTHING
                RETURNING code, amount_stars, claims, most_claims, expires_at, operator, created_at
            """),
            {"code": code, "amount_stars": amount_stars, "uses": uses, "days": days, "operator": operator},
        )
    ).first()
    if row is None:
        raise CodeTaken(code)
    facts = {"stars": amount_stars, "uses": uses, "days": days}
    await log_deed(tx, operator=operator, action="promo_add", subject=code, facts=facts)
    return PromoCode(**row._mapping)


async def list_codes(tx: Tx) -> list[PromoCode]:
    """Every code, newest first."""
    rows = await tx.execute(
        sql(
            "SELECT code, amount_stars, claims, most_claims, expires_at, operator, created_at"
            " FROM starbooth.promo_codes ORDER BY created_at DESC, code"
        )
    )
    return [PromoCode(**row._mapping) for row in rows]


def _check(typed: str, *, amount_stars: int, uses: int, days: int | None) -> str:
    code = read_code(typed)
    if code is None:
        raise CodeRefused("a code is 3 to 32 letters A-Z and digits")
    if not 1 <= amount_stars <= ledger.LARGEST_AMOUNT:
        raise CodeRefused(f"a code gives 1 to {ledger.LARGEST_AMOUNT} stars")
    if not 1 <= uses <= LARGEST_USES:
        raise CodeRefused(f"a code has 1 to {LARGEST_USES} uses")
    if days is not None and not 1 <= days <= LONGEST_LIFE_DAYS:
        raise CodeRefused(f"a code lives 1 to {LONGEST_LIFE_DAYS} days")
    return code
