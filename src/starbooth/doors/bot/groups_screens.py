"""What is said in groups: how to ask there, and where to go for what is nobody else's business.

A balance, a gallery or a price list has no place where others read along: a button opens the private chat.
"""

from markupsafe import Markup

from starbooth.domain.delivery.screen import Button, Screen
from starbooth.doors.bot.paying_screens import START_PARAMETER
from starbooth.doors.bot.pieces import stars
from starbooth.doors.bot.words import Words


def render_hello(words: Words, *, username: str, price_stars: int) -> Screen:
    """The greeting in a group that let the bot in, and the answer to /help there."""
    return _screen(
        words.say("👋 <b>I paint what you describe.</b>"),
        words.say(
            "Write <code>/paint a red fox in the snow</code>, or mention me with your words. A picture costs"
            " {price}, unless you chose otherwise in our chat; whoever asks for it pays.",
            price=stars(words, price_stars),
        ),
        button=_private(words, username),
    )


def render_how(words: Words) -> Screen:
    """The answer to an order without words."""
    return _screen(words.say("Tell me what to paint: <code>/paint a red fox in the snow</code>"))


def render_in_private(words: Words, *, username: str) -> Screen:
    """The answer to a command that is about a guest's own things."""
    return _screen(words.say("That is between you and me."), button=_private(words, username))


def render_nameless(words: Words) -> Screen:
    """The answer to who writes in the name of a group or channel."""
    return _screen(
        words.say("I cannot see who you are, so I do not know who pays. Write under your own name, please.")
    )


def render_short_here(words: Words, *, username: str, price_stars: int, is_kept: bool) -> Screen:
    """A refusal for lack of stars, without telling everybody how many there are.

    is_kept: what was wanted waits for them.
    """
    promise = words.say("I remember what you wanted: once you top up, it starts by itself, at this price.")
    button = Button(label=words.plain("Top up ⭐"), url=_link(username, START_PARAMETER))
    return _screen(word_short_here(words, price_stars), promise if is_kept else Markup(), button=button)


def word_short_here(words: Words, price_stars: int) -> Markup:
    """The refusal alone: also fit for a pop-up."""
    return words.say(
        "This costs {price}, and you have fewer. Nothing was charged.", price=stars(words, price_stars)
    )


def word_not_yours(words: Words) -> str:
    """The alert for who presses a button under somebody else's order."""
    return words.plain("Only who ordered this picture can do that. Order your own: /paint and a few words.")


def word_private_only(words: Words) -> str:
    """The alert for a button that does nothing in a group."""
    return words.plain("That works in our private chat only.")


def _private(words: Words, username: str) -> Button:
    return Button(label=words.plain("Open our chat"), url=_link(username, "group"))


def _link(username: str, parameter: str) -> str:
    return f"https://t.me/{username}?start={parameter}"


def _screen(*paragraphs: Markup, button: Button | None = None) -> Screen:
    html = str(Markup("\n\n").join(part for part in paragraphs if part))
    return Screen(html=html, rows=() if button is None else ((button,),))
