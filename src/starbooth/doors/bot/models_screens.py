"""How lists of models look: the words under the sheet. Pure; a model that is open is in `models_cards`."""

from collections.abc import Sequence

from markupsafe import Markup

from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.models.cards import LoraStatus
from starbooth.domain.models.earnings import Earnings
from starbooth.domain.models.lists import ModelList
from starbooth.domain.models.shelves import PUBLIC_SHELVES, Entry, ModelPage, Shelf
from starbooth.doors.bot.model_moves import Move, Verb
from starbooth.doors.bot.pieces import KEPT, shorten, stars
from starbooth.doors.bot.words import Words

Row = tuple[Button, ...]
COLUMNS = 3
PAGE = 6
# A caption has 1,024 characters, whatever the models are called.
_LONGEST_NAME = 40
_LONGEST_MAKER = 31


def render_page(
    words: Words,
    shown: ModelList,
    page: ModelPage,
    *,
    earned: Earnings | None = None,
) -> Screen:
    """The words under a sheet, with a button for each model in it. earned: by the guest, on their shelf."""
    lines = [
        _line(words, place + 1, each, is_own_shelf=shown.wanted.shelf is Shelf.OWN)
        for place, each in enumerate(page.models)
    ]
    body = Markup("\n").join(lines) if lines else _nothing(words, shown)
    rows = [*_number_rows(shown, page.models), *_turn_rows(words, shown, page), *_shelf_rows(words, shown)]
    return Screen(
        html=join(_title(words, shown), body, Markup() if earned is None else _earned(words, earned)),
        rows=tuple(rows),
    )


def render_question(words: Words, shown: ModelList) -> Screen:
    """What a search asks for. The next text is the answer."""
    return Screen(
        html=str(
            words.say(
                "🔎 <b>Which model are you looking for?</b>\n\nWrite a word or several from its name. Nothing"
                " is painted of it."
            )
        ),
        rows=((button(words.plain("‹ Back"), shown, Verb.PAGE),),),
    )


def button(
    label: str, shown: ModelList, verb: Verb, *, lora_id: str | None = None, value: str = ""
) -> Button:
    """A button of this list."""
    move = Move(verb=verb, list_id=shown.list_id, lora_id=lora_id, value=value)
    return Button(label=label, action=str(move))


def join(*paragraphs: Markup) -> str:
    """The paragraphs that there are."""
    return str(Markup("\n\n").join(part for part in paragraphs if part))


def _title(words: Words, shown: ModelList) -> Markup:
    titles = {
        Shelf.OWN: words.say("🎭 <b>Your models</b>"),
        Shelf.KEPT: words.say("❤️ <b>Your favourite models</b>"),
        Shelf.USED: words.say("🌍 <b>Public models</b>, the most used first"),
        Shelf.LOVED: words.say("🌍 <b>Public models</b>, the most loved first"),
        Shelf.NEW: words.say("🌍 <b>Public models</b>, the newest first"),
    }
    title = titles[shown.wanted.shelf]
    if not shown.wanted.words:
        return title
    return Markup("{} · 🔎 <i>{}</i>").format(title, shorten(" ".join(shown.wanted.words), limit=60))


def _line(words: Words, number: int, model: Entry, *, is_own_shelf: bool) -> Markup:
    name = shorten(model.name, limit=_LONGEST_NAME)
    if is_own_shelf:
        return Markup("{}. {}: {}").format(number, name, _standing(words, model))
    facts = [
        f"{KEPT} " if model.is_favourite else "",
        name,
        "" if model.maker_name is None else f" · {shorten(model.maker_name, limit=_LONGEST_MAKER)}",
        f" · 🖼\u00a0{model.uses}",
        f" · +{model.fee_stars}\u00a0⭐" if model.fee_stars and not model.is_own else "",
    ]
    return Markup("{}. {}").format(number, "".join(facts))


def _standing(words: Words, model: Entry) -> Markup:
    match model.status:
        case LoraStatus.PENDING | LoraStatus.TRAINING:
            return words.say("being trained")
        case LoraStatus.FAILED:
            return words.say("its training failed")
    if model.is_hidden:
        return words.say("taken out of the catalogue")
    if not model.is_listed:
        return words.say("private")
    if not model.fee_stars:
        return words.say("public, without a fee")
    return words.say("public, {fee} a picture", fee=stars(words, model.fee_stars))


def _nothing(words: Words, shown: ModelList) -> Markup:
    if shown.wanted.words:
        return words.say("No model here has all of these words in its name.")
    if shown.wanted.shelf is Shelf.KEPT:
        return words.say("None yet. Open a public model and give it a heart.")
    if shown.wanted.shelf is not Shelf.OWN:
        return words.say("There is none yet.")
    return words.say("You have none yet. /train makes one of your photos.")


def _earned(words: Words, earned: Earnings) -> Markup:
    if not earned.paid_stars and earned.waiting_hundredths <= 0:
        return Markup()
    waiting = f"{max(0, earned.waiting_hundredths) / 100:g}"
    return words.say(
        "💰 Your models earned {stars} so far. Gathered for the next payout: {waiting} ⭐",
        stars=stars(words, earned.paid_stars),
        waiting=waiting,
    )


def _number_rows(shown: ModelList, models: Sequence[Entry]) -> list[Row]:
    """Buttons that stand as the models do on the sheet."""
    buttons = [
        button(f"{place + 1}", shown, Verb.OPEN, lora_id=each.lora_id) for place, each in enumerate(models)
    ]
    return [tuple(buttons[first : first + COLUMNS]) for first in range(0, len(buttons), COLUMNS)]


def _turn_rows(words: Words, shown: ModelList, page: ModelPage) -> list[Row]:
    turns = []
    if page.back is not None:
        move = Move(verb=Verb.BACK, list_id=shown.list_id, place=page.back)
        turns.append(Button(label=words.plain("‹ Previous"), action=str(move)))
    if page.on is not None:
        move = Move(verb=Verb.ON, list_id=shown.list_id, place=page.on)
        turns.append(Button(label=words.plain("Next ›"), action=str(move)))
    return [tuple(turns)] if turns else []


def _shelf_rows(words: Words, shown: ModelList) -> list[Row]:
    own = _shelf(words.plain("🎭 My models"), shown, Shelf.OWN)
    public = _shelf(words.plain("🌍 Public models"), shown, Shelf.USED)
    kept = _shelf(words.plain("❤️ Favourites"), shown, Shelf.KEPT)
    search = button(words.plain("🔎 Search"), shown, Verb.SEARCH)
    match shown.wanted.shelf:
        case Shelf.OWN:
            return [(public, kept)]
        case Shelf.KEPT:
            return [(own, public)]
    labels = {
        Shelf.USED: words.plain("Most used"),
        Shelf.LOVED: words.plain("Most loved"),
        Shelf.NEW: words.plain("Newest"),
    }
    tabs = [
        _shelf(f"✓ {label}" if shown.wanted.shelf is shelf else label, shown, shelf)
        for shelf in PUBLIC_SHELVES
        for label in [labels[shelf]]
    ]
    everything = [_shelf(words.plain("All models"), shown, shown.wanted.shelf)] if shown.wanted.words else []
    return [tuple(tabs), (search, *everything), (own, kept)]


def _shelf(label: str, shown: ModelList, shelf: Shelf) -> Button:
    return Button(label=label, action=str(Move(verb=Verb.SHELF, list_id=shown.list_id, shelf=shelf)))
