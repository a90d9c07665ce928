"""How the monthly plan looks in the chat. Facts in, a screen or a sentence out."""

from datetime import datetime
from enum import StrEnum

from babel.dates import format_date
from markupsafe import Markup

from starbooth.base.errors import Refusal
from starbooth.base.prices import Pack
from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.payments.errors import PlanIsRunning, RenewalUnknown
from starbooth.domain.payments.subscriptions import Subscription, SubscriptionState
from starbooth.doors.bot.pieces import stars
from starbooth.doors.bot.words import Words

PREFIX = "plan:"
SHOW = f"{PREFIX}show"


class Wish(StrEnum):
    """What a button under a plan asks for."""

    STOP = "stop"
    RENEW = "renew"


def word_invoice(words: Words, plan: Pack) -> tuple[str, str]:
    """The title and the description of the plan's invoice; at most 32 and 255 characters."""
    return (
        words.plain("Monthly plan"),
        words.plain_n(
            "{n} star each month, until you stop it. What you have stays yours.",
            "{n} stars each month, until you stop it. What you have stays yours.",
            plan.total_stars,
        ),
    )


def plan_button(words: Words, plan: Pack) -> Button:
    """Opens the plan's screen, from under other screens."""
    label = words.plain_n("Monthly plan · {n} star", "Monthly plan · {n} stars", plan.total_stars)
    return Button(label=label, action=SHOW)


def render_offer(words: Words, plan: Pack, *, link: str, price_stars: int) -> Screen:
    """What the plan brings and costs. `link`: of its invoice. `price_stars`: of a picture."""
    lines = [
        words.say("<b>The monthly plan</b>"),
        words.say(
            "Each month: {stars}. Price: {xtr}.",
            stars=stars(words, plan.total_stars),
            xtr=_xtr(words, plan.amount_xtr),
        ),
    ]
    pictures = plan.total_stars // price_stars
    if pictures:
        lines.append(
            words.say_n("That is {n} picture a month.", "That is about {n} pictures a month.", pictures)
        )
    lines.append(
        words.say(
            "Telegram renews it by itself until you stop it, which you can at any time: /plan."
            " Stars that you have stay yours."
        )
    )
    label = words.plain("Subscribe · {price} ⭐ a month", price=plan.amount_xtr)
    return _screen(*lines, rows=((Button(label=label, url=link),),))


def render_no_plan(words: Words) -> Screen:
    """The answer to /plan where the operator offers none and the guest has none."""
    return _screen(words.say("There is no monthly plan here at the moment."))


def render_plan(words: Words, plan: Subscription) -> Screen:
    """A guest's plan: until when it is paid, what comes next, and the button that changes it."""
    match plan.state:
        case SubscriptionState.ACTIVE:
            lines = [_paid_until(words, plan), _next_month(words, plan)]
            button = _button(words.plain("Stop renewing"), plan, Wish.STOP)
        case SubscriptionState.CANCELLED:
            lines = [
                _paid_until(words, plan),
                words.say("It ends then, and nothing more is taken. Stars that you have stay yours."),
            ]
            button = _button(words.plain("Renew again"), plan, Wish.RENEW)
        case SubscriptionState.FAILED:
            lines = _failed(words)
            button = _button(words.plain("Stop renewing"), plan, Wish.STOP)
    return _screen(words.say("<b>Your monthly plan</b>"), *lines, rows=((button,),))


def render_failed(words: Words, plan: Subscription) -> Screen:
    """News: Telegram could not renew the plan. Says what to do."""
    button = _button(words.plain("Stop renewing"), plan, Wish.STOP)
    return _screen(words.say("<b>Your monthly plan was not renewed.</b>"), *_failed(words), rows=((button,),))


def render_renew(words: Words) -> Screen:
    """Telegram lets the guest renew a plan that was stopped: how they do it."""
    return _screen(
        words.say(
            "The plan may be renewed again; the last word is yours. In Telegram open"
            " <b>Settings › My Stars</b>, choose this subscription and renew it."
        )
    )


def word_plan_refusal(refusal: Refusal, words: Words) -> Markup | None:
    """Two sentences for an expected no about the plan; None for any other no. Without marks."""
    match refusal:
        case PlanIsRunning():
            return words.say(
                "You have the monthly plan already, paid until {day}. Nothing was charged.",
                day=_day(words, refusal.paid_until),
            )
        case RenewalUnknown():
            return words.say(
                "Telegram does not let me change this. You can: in Telegram, Settings › My Stars ›"
                " your subscription."
            )
    return None


def _failed(words: Words) -> list[Markup]:
    return [
        words.say(
            "There were too few Telegram Stars in your account, so nothing was taken and no stars came."
            " Stars that you have stay yours."
        ),
        words.say(
            "What to do: top up your Telegram Stars in <b>Settings › My Stars</b>. Then Telegram renews the"
            " plan, and your stars come."
        ),
    ]


def _paid_until(words: Words, plan: Subscription) -> Markup:
    return words.say("Paid until {day}.", day=_day(words, plan.paid_until))


def _next_month(words: Words, plan: Subscription) -> Markup:
    return words.say(
        "Next month: {stars}. Price: {xtr}.",
        stars=stars(words, plan.amount_stars),
        xtr=_xtr(words, plan.amount_xtr),
    )


def _xtr(words: Words, n: int) -> Markup:
    return words.say_n("{n} Telegram Star", "{n} Telegram Stars", n)


def _day(words: Words, at: datetime) -> str:
    # Russian ends it with a dot that would stand before the sentence's own.
    return (
        format_date(at, "long", locale=words.language.value).removesuffix("\u202fг.").removesuffix("\xa0г.")
    )


def _button(label: str, plan: Subscription, wish: Wish) -> Button:
    return Button(label=label, action=f"{PREFIX}{wish}:{plan.id}")


def _screen(*paragraphs: Markup, rows: tuple[tuple[Button, ...], ...] = ()) -> Screen:
    return Screen(html=str(Markup("\n\n").join(paragraphs)), rows=rows)
