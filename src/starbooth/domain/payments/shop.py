"""What the operator sells for Telegram Stars, and what a payment that fits no invoice is worth."""

from dataclasses import dataclass
from datetime import timedelta

from starbooth.base.prices import Pack
from starbooth.base.settings import Settings
from starbooth.domain.stars.ledger import LARGEST_AMOUNT


@dataclass(frozen=True, kw_only=True)
class Shop:
    """What is on sale. `invoice_life`: how long an invoice can be paid."""

    packs: tuple[Pack, ...]
    plan: Pack | None
    invoice_life: timedelta
    refunds_second_payment: bool = False

    def stars_for(self, amount_xtr: int) -> int:
        """What so many XTR buy where no invoice of ours says it: at least as much as the packs give.

        The pack of exactly this price, else the rate of the pack that gives least per XTR, rounded up; one
        star per XTR where there are no packs.
        """
        exact = next((pack for pack in self.packs if pack.amount_xtr == amount_xtr), None)
        if exact is not None:
            return exact.total_stars
        if not self.packs:
            return min(amount_xtr, LARGEST_AMOUNT)
        dearest = min(self.packs, key=lambda pack: pack.total_stars / pack.amount_xtr)
        return min(-(-amount_xtr * dearest.total_stars // dearest.amount_xtr), LARGEST_AMOUNT)


def shop_of(settings: Settings) -> Shop:
    """What the operator sells, by the settings."""
    return Shop(
        packs=settings.packs,
        plan=settings.plan,
        invoice_life=timedelta(hours=settings.invoice_hours),
        refunds_second_payment=settings.second_payment == "refund",
    )
