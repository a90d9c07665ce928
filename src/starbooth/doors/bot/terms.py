"""What the operator decided, in one value for the handlers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from starbooth.base.clock import now
from starbooth.base.prices import Pack
from starbooth.base.settings import Settings
from starbooth.domain.generations.request import Limits
from starbooth.domain.gifts.before import Marks
from starbooth.domain.payments.shop import Shop
from starbooth.domain.prompts.gate import Leniency
from starbooth.domain.trainings.request import TrainingLimits
from starbooth.outside.storage.links import sign

_TRAININGS = TrainingLimits(active_trainings=2, deadline=timedelta(hours=6), keep_photos=timedelta(days=7))
_LINK_LIFE = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Links:
    """Makes links to stored files that end within an hour. Does not print its secret."""

    public_url: str
    secret: bytes = field(repr=False)

    def lend(self, key: str) -> str:
        """A link that opens this file for whoever has it."""
        return self.public_url + sign(f"/files/{key}", secret=self.secret, expires_at=now() + _LINK_LIFE)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What the operator decided. Gifts in stars; 0: there is no such gift. `operators` are Telegram ids.

    file_link: an address that opens a stored file for an hour.
    marks: by which gifts are known that went to accounts which are gone; None: none are.
    """

    welcome_stars: int
    limits: Limits
    daily_stars: int = 0
    referral_stars: int = 0
    referral_cap: int = 0
    packs: tuple[Pack, ...] = ()
    plan: Pack | None = None
    invoice_life: timedelta = timedelta(hours=24)
    refunds_second_payment: bool = False
    operators: frozenset[int] = frozenset()
    support: str = ""
    trainings: TrainingLimits = _TRAININGS
    public_url: str = ""
    file_link: Callable[[str], str] = lambda key: key
    marks: Marks | None = None

    @property
    def shop(self) -> Shop:
        """What is on sale."""
        return Shop(
            packs=self.packs,
            plan=self.plan,
            invoice_life=self.invoice_life,
            refunds_second_payment=self.refunds_second_payment,
        )


def terms_of(settings: Settings) -> Terms:
    """What the operator decided, as the handlers take it."""
    leniency = Leniency(
        refusals_per_hour=settings.prompt_refusals,
        pause=timedelta(minutes=settings.prompt_pause_minutes),
    )
    limits = Limits(
        active_orders=settings.active_orders_per_guest,
        deadline=timedelta(seconds=settings.order_deadline_s),
        leniency=leniency,
        maker_share_percent=settings.maker_share_percent,
        series_discount_percent=settings.photo_pack_discount_percent,
    )
    trainings = TrainingLimits(
        active_trainings=settings.active_trainings_per_guest,
        deadline=timedelta(seconds=settings.training_deadline_s),
        keep_photos=timedelta(days=settings.training_photos_days),
        leniency=leniency,
    )
    links = Links(public_url=settings.public_url, secret=settings.signing_secret())
    return Terms(
        welcome_stars=settings.welcome_stars,
        limits=limits,
        trainings=trainings,
        daily_stars=settings.daily_stars,
        referral_stars=settings.referral_stars,
        referral_cap=settings.referral_cap,
        packs=settings.packs,
        plan=settings.plan,
        invoice_life=timedelta(hours=settings.invoice_hours),
        refunds_second_payment=settings.second_payment == "refund",
        operators=frozenset(settings.operators),
        support=settings.support,
        public_url=settings.public_url,
        file_link=links.lend,
        marks=Marks(settings.signing_secret()),
    )
