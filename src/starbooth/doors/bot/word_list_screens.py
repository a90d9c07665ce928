"""The word list as operators read it in the chat. Pure: facts in, screen out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from starbooth.base.errors import Refusal
from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.prompts.errors import NoSuchPhrase
from starbooth.domain.prompts.gate import Refused
from starbooth.domain.prompts.word_list import Entry
from starbooth.doors.bot.pieces import shorten
from starbooth.doors.bot.words import Words

PREFIX = "words:"
PAGE = 8
_LONGEST_ENTRY, _LONGEST_NOTE = 200, 80
_FORM = re.compile(r"words:([0-9]{1,4})(?::([0-9]{1,18}))?")
_EXAMPLE = "/words add nude|naked + child* # why"


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One press: the page to show, and the entry to take off the list before, if any."""

    page: int
    remove: int | None = None

    def __str__(self) -> str:
        return f"{PREFIX}{self.page}" + ("" if self.remove is None else f":{self.remove}")


def parse_turn(text: str | None) -> Turn | None:
    """Read what came back from a button; None for anything that none of them says."""
    found = _FORM.fullmatch(text or "")
    if found is None or not (text or "").isascii():
        return None
    return Turn(page=int(found[1]), remove=None if found[2] is None else int(found[2]))


def render_list(
    words: Words, entries: Sequence[Entry], refused: Sequence[Refused], *, page: int, removed: str = ""
) -> Screen:
    """A page of the list with a button for each entry, and the guests who were refused last."""
    last = max(0, (len(entries) - 1) // PAGE)
    page = min(page, last)
    shown = list(enumerate(entries, 1))[page * PAGE : (page + 1) * PAGE]
    parts = [
        words.say("Taken off the list: {entry}", entry=_code(removed)) if removed else Markup(),
        words.say("<b>What prompts must not hold</b>"),
        Markup("\n").join(_line(words, number, each) for number, each in shown)
        or words.say("The list is empty."),
        _guests(words, refused),
        words.say("Write it like this: {example}", example=_code(_EXAMPLE)),
    ]
    remove = [
        Button(label=f"✕ {number}", action=str(Turn(page=page, remove=each.id))) for number, each in shown
    ]
    turn = [
        Button(label=label, action=str(Turn(page=other)))
        for label, other in (("◀", page - 1), ("▶", page + 1))
        if 0 <= other <= last
    ]
    rows = (*(tuple(remove[start : start + 4]) for start in range(0, len(remove), 4)), tuple(turn))
    return Screen(html=_join(*parts), rows=tuple(row for row in rows if row))


def _line(words: Words, number: int, entry: Entry) -> Markup:
    said = [Markup("{}. {}").format(number, _code(entry.entry))]
    if entry.note:
        said.append(Markup("{}").format(shorten(entry.note, limit=_LONGEST_NOTE)))
    if entry.refusals:
        said.append(words.say_n("{n} prompt refused", "{n} prompts refused", entry.refusals))
    return Markup(" · ").join(said)


def _guests(words: Words, refused: Sequence[Refused]) -> Markup:
    if not refused:
        return words.say("No prompt was refused in the last 30 days.")
    lines = [
        words.say(
            "{who}: {today} since yesterday, {all} in 30 days",
            who=f"@{each.username}" if each.username else each.telegram_id,
            today=each.refusals_today,
            all=each.refusals,
        )
        for each in refused
    ]
    return Markup("\n").join([words.say("<b>Whose prompts were refused last</b>"), *lines])


def render_added(words: Words, entry: str) -> Screen:
    """An entry stands in the list."""
    return _screen(words.say("Prompts with this are refused from now on: {entry}", entry=_code(entry)))


def render_removed(words: Words, entry: str) -> Screen:
    """An entry is gone."""
    return _screen(words.say("Taken off the list: {entry}", entry=_code(entry)))


def render_tried(words: Words, entry: str | None) -> Screen:
    """What the list makes of a prompt."""
    if entry is None:
        return _screen(words.say("The list allows it."))
    return _screen(words.say("The list refuses it, by this entry: {entry}", entry=_code(entry)))


def render_usage(words: Words) -> Screen:
    """How the command is written."""
    lines = ["/words", _EXAMPLE, "/words remove nude|naked + child*", "/words test a red fox"]
    example = Markup("\n").join(["", *map(_code, lines)])
    return _screen(words.say("Write it like this: {example}", example=example))


def render_refusal(words: Words, refusal: Refusal) -> Screen:
    """An expected no."""
    if isinstance(refusal, NoSuchPhrase):
        return _screen(words.say("The list does not have this entry."))
    return _screen(
        words.say(
            "That cannot stand in the list. A word has 2 to 60 letters, and at least 3 with a star behind"
            " them; | stands between words of which any will do, + between groups that must all be there."
        )
    )


def _code(text: str) -> Markup:
    return Markup("<code>{}</code>").format(shorten(text, limit=_LONGEST_ENTRY))


def _screen(*paragraphs: Markup) -> Screen:
    return Screen(html=_join(*paragraphs))


def _join(*paragraphs: Markup) -> str:
    return str(Markup("\n\n").join(part for part in paragraphs if part))
