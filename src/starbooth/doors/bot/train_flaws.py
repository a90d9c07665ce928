"""What is wrong with photos and files, and what is missing among them, in few words. Pure."""

from collections.abc import Sequence

from markupsafe import Markup

from starbooth.domain.pictures.errors import PhotoFlaw
from starbooth.domain.trainings.assistant import Advice, Flaw, Note, Review
from starbooth.domain.trainings.photo_sets import Refused
from starbooth.doors.bot.pieces import shorten
from starbooth.doors.bot.words import Words

_MOST_NAMED = 4
_MOST_NUMBERS = 8
_LONGEST_NAME = 24


def word_notes(words: Words, review: Review) -> Markup:
    """Each flaw with the numbers of the photos that have it; empty where there is none."""
    lines = [_line(words, flaw, [each for each in review.notes if each.flaw is flaw]) for flaw in Flaw]
    return Markup("\n").join(line for line in lines if line)


def _line(words: Words, flaw: Flaw, notes: Sequence[Note]) -> Markup:
    if not notes:
        return Markup()
    if flaw is Flaw.TWIN:
        pairs = _first([f"{each.number} = {each.twin_of}" for each in notes])
        return words.say("⚠️ <b>{numbers}</b>: nearly the same photo", numbers=pairs)
    numbers = _first([str(each.number) for each in notes])
    return Markup("⚠️ <b>{}</b>: {}").format(numbers, _name_flaw(words, flaw))


def _first(numbers: Sequence[str]) -> str:
    more = " …" if len(numbers) > _MOST_NUMBERS else ""
    return ", ".join(numbers[:_MOST_NUMBERS]) + more


def _name_flaw(words: Words, flaw: Flaw) -> str:
    match flaw:
        case Flaw.SMALL:
            return words.plain("too small to show much")
        case Flaw.DARK:
            return words.plain("too dark")
        case Flaw.BLURRED:
            return words.plain("blurred, or nothing is on it")
        case Flaw.NO_FACE:
            return words.plain("I see no face")
        case _:
            return words.plain("several faces; whose shall I learn?")


def word_refused(words: Words, refused: Sequence[Refused]) -> Markup:
    """What came and was left out, a few by their names and the rest as a number; empty where nothing was."""
    if not refused:
        return Markup()
    named = [each for each in refused if each.flaw is not None]
    lines = [
        Markup("✕ {}: {}").format(_name(words, each), name_photo_flaw(words, each.flaw, each.limit))
        for each in named[:_MOST_NAMED]
        if each.flaw is not None
    ]
    rest = len(named) - len(lines)
    if rest > 0:
        lines.append(words.say_n("✕ … and {n} more like that", "✕ … and {n} more like these", rest))
    too_many = sum(max(1, each.limit) for each in refused if each.flaw is None)
    if too_many:
        lines.append(
            words.say_n(
                "✕ {n} came after the last place was taken",
                "✕ {n} came after the last place was taken",
                too_many,
            )
        )
    return Markup("\n").join([words.say("Left out:"), *lines])


def _name(words: Words, refused: Refused) -> str:
    return shorten(refused.name, limit=_LONGEST_NAME) if refused.name else words.plain("a photo")


def name_photo_flaw(words: Words, flaw: PhotoFlaw, limit: int) -> str:
    """Why a file is no photo to learn from."""
    match flaw:
        case PhotoFlaw.TOO_LARGE:
            return words.plain("more than {n} MB", n=limit)
        case PhotoFlaw.TOO_MANY_PIXELS:
            return words.plain("more than {n} megapixels", n=limit)
        case PhotoFlaw.TOO_SMALL:
            return words.plain("its shorter side has fewer than {n} pixels", n=limit)
        case PhotoFlaw.MOVING:
            return words.plain("a moving picture")
        case PhotoFlaw.NOT_A_ZIP:
            return words.plain("a zip that I cannot open")
        case PhotoFlaw.ZIP_IN_A_ZIP:
            return words.plain("a zip in a zip")
        case PhotoFlaw.ENCRYPTED:
            return words.plain("locked by a password")
        case PhotoFlaw.TOO_MANY_FILES:
            return words.plain("more than {n} files in it", n=limit)
        case PhotoFlaw.NOT_A_PICTURE:
            return words.plain("not a picture that I can read")


def word_advice(words: Words, advice: Sequence[Advice]) -> Markup:
    """What else to send, in a sentence each."""
    lines = [Markup("💡 ") + _advice(words, each) for each in advice]
    return Markup("\n").join(lines)


def _advice(words: Words, advice: Advice) -> Markup:
    match advice:
        case Advice.SIDES:
            return words.say("Add two from the side.")
        case Advice.CLOSE:
            return words.say("Add one from close up.")
        case Advice.FAR:
            return words.say("Add one that shows more than the face.")
        case Advice.LIGHT:
            return words.say("Add one in other light: outdoors, or by a lamp.")
