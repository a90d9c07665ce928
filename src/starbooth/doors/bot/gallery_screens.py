"""How the gallery looks: the words under the sheet, and under a picture that is open. Pure."""

from datetime import datetime

from babel.dates import format_skeleton
from markupsafe import Markup

from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.gallery.galleries import Gallery
from starbooth.domain.gallery.pages import Page
from starbooth.domain.gallery.pictures import KeptPicture
from starbooth.domain.gallery.sheet import COLUMNS
from starbooth.doors.bot.actions import Action
from starbooth.doors.bot.actions import Verb as OrderVerb
from starbooth.doors.bot.gallery_moves import Move, Verb
from starbooth.doors.bot.pieces import BIN, FILE, KEPT, NOT_KEPT, shorten, stars
from starbooth.doors.bot.words import Words

Row = tuple[Button, ...]
# A caption has 1,024 characters, whatever was written and chosen.
_LONGEST_LINE = 60
_LONGEST_PROMPT = 320
_LONGEST_NEGATIVE = 120
_LONGEST_PAINTED = 160
_LONGEST_LORAS = 160


def render_empty(words: Words) -> Screen:
    """The answer to who has no picture yet."""
    return Screen(
        html=str(
            words.say(
                "🖼 <b>Your pictures will hang here.</b>\n\nThere is none yet. Tell me in a sentence what"
                " you would like to see, and I paint the first one."
            )
        )
    )


def render_page(words: Words, gallery: Gallery, page: Page) -> Screen:
    """The words under a contact sheet, with a button for each picture in it."""
    lines = [
        Markup("{}. {}{}").format(
            place + 1, f"{KEPT} " if each.is_favourite else "", shorten(each.prompt, limit=_LONGEST_LINE)
        )
        for place, each in enumerate(page.pictures)
    ]
    body = Markup("\n").join(lines) if lines else _nothing(words, gallery, page)
    return Screen(
        html=_join(_title(words, gallery), body, _reach(words, page)),
        rows=(*_number_rows(gallery, page), *_turn_rows(words, gallery, page), *_filter_rows(words, gallery)),
    )


def _title(words: Words, gallery: Gallery) -> Markup:
    wanted = gallery.wanted
    title = (
        words.say("❤️ <b>Your favourites</b>")
        if wanted.favourites_only
        else words.say("🖼 <b>Your pictures</b>")
    )
    if not wanted.words:
        return title
    return Markup("{} · 🔎 <i>{}</i>").format(title, shorten(" ".join(wanted.words), limit=_LONGEST_LINE))


def _nothing(words: Words, gallery: Gallery, page: Page) -> Markup:
    wanted = gallery.wanted
    if page.searched_to is not None:
        return Markup()
    if wanted.words:
        return words.say("Nothing here has all of these words.")
    if wanted.favourites_only:
        return words.say("None yet. Open a picture and give it a heart.")
    return words.say("There is nothing here any more.")


def _reach(words: Words, page: Page) -> Markup:
    """What a search has not looked at it does not pretend to know."""
    if page.searched_to is None:
        return Markup()
    day = _day(words, page.searched_to)
    if not page.pictures:
        return words.say(
            "None of those that I looked through has all of these words. I got to {day}.", day=day
        )
    return words.say("I got to {day} and have not looked at the others yet.", day=day)


def _number_rows(gallery: Gallery, page: Page) -> list[Row]:
    """Buttons that stand as the pictures do on the sheet."""
    buttons = [
        _button(f"{place + 1}", gallery, Verb.OPEN, picture_id=each.picture_id)
        for place, each in enumerate(page.pictures)
    ]
    return [tuple(buttons[first : first + COLUMNS]) for first in range(0, len(buttons), COLUMNS)]


def _turn_rows(words: Words, gallery: Gallery, page: Page) -> list[Row]:
    turns = []
    if page.newer is not None:
        move = Move(verb=Verb.NEWER, gallery_id=gallery.gallery_id, place=page.newer)
        turns.append(Button(label=words.plain("‹ Newer"), action=str(move)))
    if page.older is not None:
        move = Move(verb=Verb.OLDER, gallery_id=gallery.gallery_id, place=page.older)
        label = words.plain("Search older ›") if page.searched_to is not None else words.plain("Older ›")
        turns.append(Button(label=label, action=str(move)))
    return [tuple(turns)] if turns else []


def _filter_rows(words: Words, gallery: Gallery) -> list[Row]:
    wanted = gallery.wanted
    search = _button(words.plain("🔎 Search"), gallery, Verb.SEARCH)
    if wanted.favourites_only or wanted.words:
        return [(_button(words.plain("🖼 All pictures"), gallery, Verb.ALL), search)]
    return [(_button(words.plain("❤️ Favourites"), gallery, Verb.FAVOURITES), search)]


def render_question(words: Words, gallery: Gallery) -> Screen:
    """What a search asks for. The next text is the answer."""
    return Screen(
        html=str(
            words.say(
                "🔎 <b>Which picture are you looking for?</b>\n\nWrite a word or several from its"
                " description, such as <i>cat hat</i>. Nothing is painted of it."
            )
        ),
        rows=((_button(words.plain("‹ Back"), gallery, Verb.PAGE),),),
    )


def render_picture(
    words: Words,
    gallery: Gallery,
    picture: KeptPicture,
    *,
    again_stars: int | None,
    asks_delete: bool = False,
) -> Screen:
    """A picture with everything that is known of how it came about.

    again_stars: what one more like it costs; None where it cannot be had any more.
    """
    told = [
        Markup("<blockquote>{}</blockquote>").format(shorten(picture.prompt, limit=_LONGEST_PROMPT)),
        *_recipe(words, picture),
        Markup("{} · {}").format(stars(words, picture.stars), _day(words, picture.at)),
    ]
    if asks_delete:
        told.append(words.say("<b>Delete this picture for good?</b> The message it came in stays."))
        rows = _delete_rows(words, gallery, picture)
    else:
        rows = _picture_rows(words, gallery, picture, again_stars)
    return Screen(html=str(Markup("\n").join(line for line in told if line)), rows=tuple(rows))


def _recipe(words: Words, picture: KeptPicture) -> list[Markup]:
    loras = ", ".join(f"{each.name} {each.weight:g}" for each in picture.loras)
    painted = picture.words if picture.words != picture.prompt else None
    size = "" if picture.size_px is None else f"{picture.size_px[0]} × {picture.size_px[1]}"
    numbers = [
        words.say("Steps: {steps}", steps=picture.steps) if picture.steps is not None else Markup(),
        words.say("Guidance: {guidance}", guidance=f"{picture.guidance:g}")
        if picture.guidance is not None
        else Markup(),
    ]
    return [
        words.say("Model: <b>{name}</b>", name=picture.model_name),
        words.say("Size: {size}", size=size) if size else Markup(),
        words.say("Seed: <code>{seed}</code>", seed=str(picture.seed))
        if picture.seed is not None
        else Markup(),
        Markup(" · ").join(each for each in numbers if each),
        words.say("LoRAs: {names}", names=shorten(loras, limit=_LONGEST_LORAS)) if loras else Markup(),
        words.say("Without: {negative}", negative=shorten(picture.negative, limit=_LONGEST_NEGATIVE))
        if picture.negative
        else Markup(),
        words.say("Painted as: <i>{words}</i>", words=shorten(painted, limit=_LONGEST_PAINTED))
        if painted
        else Markup(),
        _photo(words, picture),
    ]


def _photo(words: Words, picture: KeptPicture) -> Markup:
    if not picture.has_photo:
        return Markup()
    if picture.strength is None:
        return words.say("From a photo")
    return words.say("From a photo, strength {strength}", strength=f"{picture.strength:g}")


def _picture_rows(words: Words, gallery: Gallery, picture: KeptPicture, again_stars: int | None) -> list[Row]:
    is_marked = picture.is_favourite
    mark, verb = (KEPT, Verb.UNMARK) if is_marked else (NOT_KEPT, Verb.MARK)
    rows: list[Row] = [
        (
            _of(mark, gallery, verb, picture),
            _of(FILE, gallery, Verb.ORIGINAL, picture),
            _of(BIN, gallery, Verb.ASK_DELETE, picture),
        ),
        (_button(words.plain("‹ Back"), gallery, Verb.PAGE),),
    ]
    if again_stars is not None and picture.order_id is not None:
        again = Action(verb=OrderVerb.AGAIN, order_id=picture.order_id, price_stars=again_stars)
        label = words.plain("Again · {price} ⭐", price=again_stars)
        rows.insert(0, (Button(label=label, action=str(again)),))
    return rows


def _delete_rows(words: Words, gallery: Gallery, picture: KeptPicture) -> list[Row]:
    return [
        (
            _of(words.plain("Yes, delete it"), gallery, Verb.DELETE, picture),
            _of(words.plain("No, keep it"), gallery, Verb.OPEN, picture),
        )
    ]


def _of(label: str, gallery: Gallery, verb: Verb, picture: KeptPicture) -> Button:
    return _button(label, gallery, verb, picture_id=picture.picture_id)


def _button(label: str, gallery: Gallery, verb: Verb, *, picture_id: str | None = None) -> Button:
    move = Move(verb=verb, gallery_id=gallery.gallery_id, picture_id=picture_id)
    return Button(label=label, action=str(move))


def _day(words: Words, at: datetime) -> str:
    return str(format_skeleton("yMMMd", at, locale=words.language.value))


def _join(*paragraphs: Markup) -> str:
    return str(Markup("\n\n").join(part for part in paragraphs if part))
