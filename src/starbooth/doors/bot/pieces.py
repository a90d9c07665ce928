"""Pieces that screens are made of: amounts, waits, bars, and a prompt short enough to show."""

from datetime import timedelta

from markupsafe import Markup

from starbooth.doors.bot.words import Words

LONGEST_SHOWN_PROMPT = 600
# Buttons that need no word in any language. A star would be money here.
KEPT = "❤️"
NOT_KEPT = "🤍"
FILE = "⬇️"
SHARE = "📤"
BIN = "🗑"
RENAME = "✏️"
_BAR_CELLS = 10


def quote(prompt: str) -> Markup:
    """The prompt quoted, on one line and shortened. Its own paragraph: right-to-left text turns no other."""
    return Markup("<blockquote>{}</blockquote>").format(shorten(prompt, limit=LONGEST_SHOWN_PROMPT))


def shorten(prompt: str, *, limit: int) -> str:
    """The prompt on one line and in at most `limit` UTF-16 units, cut between words where it can be."""
    line = " ".join(prompt.split())
    if length_utf16(line) <= limit:
        return line
    kept, room = [], limit - 1
    for letter in line:
        room -= length_utf16(letter)
        if room < 0:
            break
        kept.append(letter)
    cut = "".join(kept)
    head, blank, tail = cut.rpartition(" ")
    if blank and len(tail) < limit // 4:
        cut = head
    # A joiner or half a flag at the end would hang on to the ellipsis.
    return cut.rstrip("\u200d\ufe0f ") + "…"


def length_utf16(text: str) -> int:
    """Length as Telegram counts it."""
    return len(text) + sum(letter > "\uffff" for letter in text)


def bar(progress: float) -> str:
    """Progress 0..1 as ten cells."""
    filled = min(_BAR_CELLS, max(0, int(progress * _BAR_CELLS + 1e-9)))
    return "▰" * filled + "▱" * (_BAR_CELLS - filled)


def stars(words: Words, n: int) -> Markup:
    """So many stars, in words."""
    return words.say_n("{n} star", "{n} stars", n)


def plain_stars(words: Words, n: int) -> str:
    """So many stars, for buttons and short answers."""
    return words.plain_n("{n} star", "{n} stars", n)


def wait(words: Words, expected: timedelta) -> Markup:
    """An expected wait, rounded so that it does not flicker: tens of seconds, then minutes, then hours.

    A number is never parted from its unit at the end of a line.
    """
    seconds = max(0, round(expected.total_seconds()))
    if seconds < 10:
        return words.say("a few seconds")
    if seconds < 55:
        return words.say("about {seconds}\u00a0s", seconds=-(-seconds // 10) * 10)
    if seconds <= 3600:
        return words.say("about {minutes}\u00a0min", minutes=max(1, round(seconds / 60)))
    return words.say("more than an hour")
