"""What guests read about gifts: the day's, codes, friends. Pure."""

from datetime import timedelta
from urllib.parse import urlencode

from markupsafe import Markup

from starbooth.base.errors import Refusal
from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.gifts.errors import CodeTooOld, CodeUsedByYou, CodeUsedUp, NoSuchCode
from starbooth.domain.gifts.promo import Redeemed
from starbooth.domain.gifts.referrals import GiftNews, Invitation
from starbooth.domain.users.pace import TooOften
from starbooth.doors.bot.pieces import stars, wait
from starbooth.doors.bot.words import Words


def render_daily(words: Words, *, gift_stars: int, balance_stars: int, next_in: timedelta) -> Screen:
    """The answer to /daily where there was a gift."""
    return _screen(
        words.say_n("🎁 {n} star for you today.", "🎁 {n} stars for you today.", gift_stars),
        words.say("You have {balance}.", balance=stars(words, balance_stars)),
        _next_gift(words, next_in),
    )


def render_daily_taken(words: Words, *, next_in: timedelta) -> Screen:
    """The answer to /daily where the day's gift has been given."""
    return _screen(words.say("You have had today's gift."), _next_gift(words, next_in))


def render_redeemed(words: Words, redeemed: Redeemed) -> Screen:
    """The answer to a code that worked."""
    return _screen(
        words.say_n(
            "🎉 The code {code} gave you {n} star.",
            "🎉 The code {code} gave you {n} stars.",
            redeemed.amount_stars,
            code=redeemed.code,
        ),
        words.say("You have {balance}.", balance=stars(words, redeemed.balance_stars)),
        words.say("The picture that waits for stars starts as soon as they suffice.")
        if redeemed.waits
        else Markup(),
    )


def render_promo_help(words: Words) -> Screen:
    """The answer to /promo without a code."""
    return _screen(
        words.say("Write the code behind the command, for example:"),
        words.say("<code>/promo SUMMER</code>"),
        words.say("Capitals and blanks do not matter. A code works once for each guest."),
    )


def render_invitation(
    words: Words, invitation: Invitation, *, bot_name: str, reward_stars: int, cap: int
) -> Screen:
    """The answer to /invite: the guest's own link, and what came of it."""
    link = f"https://t.me/{bot_name}?start=ref_{invitation.code}"
    text = words.plain("I paint pictures with this bot. Come and try it!")
    share = f"https://t.me/share/url?{urlencode({'url': link, 'text': text})}"
    return Screen(
        html=str(
            Markup("\n\n").join(
                [
                    words.say("<b>Bring a friend</b>"),
                    words.say(
                        "A friend who is new here comes by your link. When they buy stars for the first time,"
                        " each of you gets a gift: {reward}.",
                        reward=stars(words, reward_stars),
                    ),
                    Markup("<code>{}</code>").format(link),
                    words.say(
                        "Friends who came: {friends}. You were rewarded for: {rewarded} of {cap} at most.",
                        friends=invitation.friends,
                        rewarded=invitation.rewarded,
                        cap=cap,
                    ),
                ]
            )
        ),
        rows=((Button(label=words.plain("Share the link"), url=share),),),
    )


def render_gift_news(words: Words, news: GiftNews) -> Screen:
    """A gift that came by itself."""
    if news.kind == "friend":
        line = words.say_n(
            "🎁 {n} star for you: you came by a friend's link and bought stars.",
            "🎁 {n} stars for you: you came by a friend's link and bought stars.",
            news.amount_stars,
        )
    else:
        line = words.say_n(
            "🎁 {n} star for you: a friend whom you brought bought stars. Thank you!",
            "🎁 {n} stars for you: a friend whom you brought bought stars. Thank you!",
            news.amount_stars,
        )
    return _screen(line, words.say("You have {balance}.", balance=stars(words, news.balance_stars)))


def word_gift_refusal(refusal: Refusal, words: Words) -> Markup | None:
    """A no of the gifts, or of who comes too often, in a sentence or two; None for any other."""
    match refusal:
        case NoSuchCode():
            return words.say("I do not know this code. Look at the letters again, and try once more.")
        case CodeUsedUp():
            return words.say("This code has been used up: others were quicker.")
        case CodeTooOld():
            return words.say("This code is too old: its time is over.")
        case CodeUsedByYou():
            return words.say("You have used this code before. It works once for each guest.")
        case TooOften():
            return words.say(
                "That was often enough for now. Please wait: {wait}.",
                wait=wait(words, refusal.wait),
            )
        case _:
            return None


def _next_gift(words: Words, next_in: timedelta) -> Markup:
    minutes = -(-int(next_in.total_seconds()) // 60)
    if minutes <= 0:
        return words.say("The next one is there already: send /daily again.")
    if minutes < 60:
        return words.say("The next one comes in {minutes} min, at 00:00 UTC.", minutes=minutes)
    return words.say(
        "The next one comes in {hours} h {minutes} min, at 00:00 UTC.",
        hours=minutes // 60,
        minutes=minutes % 60,
    )


def _screen(*paragraphs: Markup) -> Screen:
    return Screen(html=str(Markup("\n\n").join(part for part in paragraphs if part)))
