"""Promo codes from the command line."""

import getpass
import sys

from rich.console import Console
from rich.table import Table

from starbooth.base.settings import Settings
from starbooth.cli.wiring import open_booth
from starbooth.domain.gifts.errors import CodeRefused, CodeTaken
from starbooth.domain.gifts.promo import PromoCode, add_code, list_codes


async def add_promo_code(
    settings: Settings, *, code: str, amount_stars: int, uses: int, days: int | None
) -> int:
    """Make a code and say what guests write. Returns the exit status."""
    async with open_booth(settings, connections=1) as booth:
        try:
            async with booth.database.transaction() as tx:
                added = await add_code(
                    tx,
                    typed=code,
                    amount_stars=amount_stars,
                    uses=uses,
                    days=days,
                    operator=f"command:{getpass.getuser()}",
                )
        except CodeRefused as refusal:
            return _say_no(f"Refused: {refusal.reason}.")
        except CodeTaken as refusal:
            return _say_no(f"There is a code {refusal.promo_code} already; `starbooth promo list` shows it.")
    print(
        f"{added.code} gives {added.amount_stars} stars to each of {added.most_claims} guests{_end(added)}."
    )
    print(f"Guests write: /promo {added.code}")
    print(f"or open: https://t.me/YOUR_BOT?start=promo_{added.code}")
    return 0


async def list_promo_codes(settings: Settings) -> int:
    """Print every code, newest first."""
    async with open_booth(settings, connections=1) as booth, booth.database.transaction() as tx:
        codes = await list_codes(tx)
    if not codes:
        print("There is no promo code. Make one by `starbooth promo add CODE STARS --uses N`.")
        return 0
    table = Table("code", "stars", "used", "of", "until (UTC)", "by", "made (UTC)")
    for each in codes:
        until = "" if each.expires_at is None else f"{each.expires_at:%Y-%m-%d %H:%M}"
        figures = (str(each.amount_stars), str(each.claims), str(each.most_claims))
        table.add_row(each.code, *figures, until, each.operator, f"{each.created_at:%Y-%m-%d %H:%M}")
    Console().print(table)
    return 0


def _end(code: PromoCode) -> str:
    return "" if code.expires_at is None else f" until {code.expires_at:%Y-%m-%d %H:%M} UTC"


def _say_no(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1
