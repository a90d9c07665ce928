"""Pieces that the pages of a panel share: buttons, names of shapes, short waits, and what had to go. Pure."""

from collections.abc import Sequence
from datetime import timedelta

from markupsafe import Markup

from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.generations.choices import Shape
from starbooth.domain.studio.fitting import Dropped
from starbooth.domain.studio.panel import Panel
from starbooth.doors.bot.panel_moves import Move, Page, Verb
from starbooth.doors.bot.pieces import shorten
from starbooth.doors.bot.words import Words

Row = tuple[Button, ...]

# The ratio says it in every language.
SHAPES = {
    Shape.SQUARE_HD: "◻ 1:1 HD",
    Shape.SQUARE: "◻ 1:1",
    Shape.PORTRAIT_4_3: "▯ 3:4",
    Shape.PORTRAIT_16_9: "▯ 9:16",
    Shape.LANDSCAPE_4_3: "▭ 4:3",
    Shape.LANDSCAPE_16_9: "▭ 16:9",
}
_LONGEST_LABEL = 40


def button(panel: Panel, label: str, verb: Verb, value: str = "", *, is_chosen: bool = False) -> Button:
    """A button of this panel; what is chosen now bears a mark."""
    draft_id = None if panel.draft is None else panel.draft.draft_id
    text = shorten(label, limit=_LONGEST_LABEL)
    action = str(Move(draft_id=draft_id, verb=verb, value=value))
    return Button(label=f"✓ {text}" if is_chosen else text, action=action)


def view(panel: Panel, label: str, page: Page) -> Button:
    """A button that shows another page."""
    return button(panel, label, Verb.VIEW, page.value)


def back(panel: Panel, words: Words, page: Page = Page.HOME) -> Row:
    """The last row of every page but the first."""
    return (view(panel, words.plain("‹ Back"), page),)


def page_of(words_: Sequence[Markup], rows: Sequence[Row]) -> Screen:
    """A screen of these paragraphs; empty ones and empty rows are left out."""
    html = Markup("\n\n").join(each for each in words_ if each)
    return Screen(html=str(html), rows=tuple(row for row in rows if row))


def name_shape(words: Words, shape: Shape | None) -> str:
    """A shape by its ratio, or that it is the model's own."""
    return words.plain("auto") if shape is None else SHAPES[shape]


def short_wait(words: Words, expected: timedelta) -> str:
    """An expected wait, short enough for a button: tens of seconds, then minutes."""
    seconds = max(0, round(expected.total_seconds()))
    if seconds < 55:
        return words.plain("~{seconds} s", seconds=max(10, -(-seconds // 10) * 10))
    if seconds <= 3600:
        return words.plain("~{minutes} min", minutes=max(1, round(seconds / 60)))
    return words.plain("over an hour")


def word_fees(words: Words, panel: Panel) -> Markup:
    """What of the price goes for models of others; empty where nothing does."""
    asking = [each for each in panel.loras if each.fee_stars]
    fees = ", ".join(
        f"{shorten(each.name, limit=20)} {each.fee_stars * (panel.choices.count - each.free)} ⭐"
        for each in asking
    )
    return words.say("With fees for models of others: {fees}.", fees=fees) if asking else Markup()


def word_dropped(words: Words, panel: Panel) -> Markup:
    """What had to go since the model cannot do it, in a sentence each; empty where nothing had to."""
    name = panel.offer.name
    lines = [_word_dropped(words, each, name) for each in panel.dropped]
    return Markup("⚠️ ") + Markup(" ").join(lines) if lines else Markup()


def _word_dropped(words: Words, dropped: Dropped, name: str) -> Markup:
    match dropped:
        case Dropped.MODEL:
            return words.say("The model you chose is not on offer any more; now it is {name}.", name=name)
        case Dropped.LORAS:
            return words.say("Some LoRAs do not go with {name}, so I took them out.", name=name)
        case Dropped.STEPS:
            return words.say(
                "{name} does not take that many or that few steps: they are its own now.", name=name
            )
        case Dropped.GUIDANCE:
            return words.say("{name} does not take that guidance: it is its own now.", name=name)
        case Dropped.NEGATIVE:
            return words.say("{name} cannot leave things out here, so I dropped what you named.", name=name)
