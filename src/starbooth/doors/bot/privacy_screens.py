"""How a guest's own data look in the chat: photos, consent, and the account that goes. Pure.

They say what this program does, and promise nothing that it does not do.
"""

from markupsafe import Markup

from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.privacy.farewell import Belongings
from starbooth.domain.privacy.guest_photos import PhotosGone, PhotosKept
from starbooth.doors.bot.pieces import stars
from starbooth.doors.bot.privacy_moves import Move, Verb
from starbooth.doors.bot.words import Words

Row = tuple[Button, ...]


def privacy_rows(words: Words) -> tuple[Row, ...]:
    """What can be done about one's data, below /privacy."""
    labels = (
        (Verb.EXPORT, words.plain("📦 Everything as a file")),
        (Verb.PHOTOS, words.plain("🖼 Delete my photos")),
        (Verb.CONSENT, words.plain("✋ Take back my consent")),
        (Verb.LEAVE, words.plain("🚪 Delete my account")),
    )
    return tuple((Button(label=label, action=str(Move(verb=verb))),) for verb, label in labels)


def render_photos(words: Words, kept: PhotosKept) -> Screen:
    """Asks before all photos go."""
    photos = kept.for_models + kept.for_pictures
    if not photos:
        return _screen(words.say("There is no photo of yours here."))
    return _asking(
        words,
        Verb.DELETE_PHOTOS,
        words.plain("🗑 Yes, delete them"),
        words.say("<b>Delete your photos?</b>"),
        words.say_n(
            "{n} photo of yours is kept here, to paint or to learn from.",
            "{n} photos of yours are kept here, to paint or to learn from.",
            photos,
        ),
        _what_happens(words),
    )


def render_consent(words: Words, kept: PhotosKept) -> Screen:
    """Asks before a consent is taken back."""
    if not kept.consents:
        return _screen(words.say("You gave no consent to learn from photos, or you took it back."))
    return _asking(
        words,
        Verb.WITHDRAW,
        words.plain("✋ Yes, take it back"),
        words.say("<b>Take back your consent?</b>"),
        words.say("You agreed that models may be trained on photos of yours. Without that they all go."),
        _what_happens(words),
    )


def render_photos_gone(words: Words, gone: PhotosGone) -> Screen:
    """The answer once photos went."""
    return _screen(
        words.say("Your consent is taken back.") if gone.consents else Markup(),
        words.say_n("{n} photo is deleted for good.", "{n} photos are deleted for good.", gone.photos),
        words.say_n("{n} training was told to stop.", "{n} trainings were told to stop.", len(gone.stopped))
        if gone.stopped
        else Markup(),
        words.say("Their copies in this chat are yours to delete.") if gone.photos else Markup(),
    )


def render_kept(words: Words) -> Screen:
    """The answer to a no."""
    return _screen(words.say("Nothing was deleted."))


def render_export_asked(words: Words) -> Screen:
    """The answer to /export."""
    return _screen(
        words.say(
            "I gather all that is kept about you. The file comes here by itself, and it may take a while."
        )
    )


def word_export(words: Words) -> str:
    """What stands below the file."""
    return _paragraphs(
        words.say("<b>All that is kept about you</b>"),
        words.say(
            "Pictures, photos and models as files; words, settings, orders and stars as tables. Our copy of"
            " this file goes after a day."
        ),
    )


def render_large_export(words: Words, *, export_id: str, size_mb: int) -> Screen:
    """The file is larger than Telegram takes from a bot."""
    return Screen(
        html=_paragraphs(
            words.say("<b>All that is kept about you</b>"),
            words.say(
                "The file has {size} MB, more than I can send here. For a day the button gives you a link to"
                " it, which opens for an hour. Show it to nobody.",
                size=size_mb,
            ),
        ),
        rows=((_button(words.plain("🔗 Give me a link"), Verb.LINK, export_id),),),
    )


def render_link(words: Words, *, url: str) -> Screen:
    """The link to a large file."""
    return Screen(
        html=str(words.say("Your link, good for an hour:")),
        rows=((Button(label=words.plain("📦 Open the file"), url=url),),),
    )


def render_export_gone(words: Words) -> Screen:
    """The file is not there any more."""
    return _screen(words.say("That file is gone. /export makes a new one."))


def render_leaving(words: Words, has: Belongings, *, user_id: str) -> Screen:
    """The first question before an account goes: what goes, and what stays."""
    goes = [
        words.say_n("{n} picture", "{n} pictures", has.pictures) if has.pictures else Markup(),
        words.say_n("{n} model", "{n} models", has.models) if has.models else Markup(),
        words.say("your photos, settings, presets, albums, and all that you wrote"),
        words.say("{balance}, which are not paid back", balance=stars(words, has.stars))
        if has.stars > 0
        else Markup(),
    ]
    return Screen(
        html=_paragraphs(
            words.say("<b>Delete your account?</b>"),
            words.say("What goes, for good:"),
            Markup("\n").join(Markup("• {}").format(each) for each in goes if each),
            _what_ends(words, has),
            words.say(
                "What stays are the figures of our accounts, under a name that tells nothing. Pictures in"
                " this chat are yours to delete."
            ),
            words.say(
                "Models that you made public are gone for others too; the pictures that they made stay"
                " theirs."
            )
            if has.models
            else Markup(),
            words.say(
                "Of your payments we keep Telegram's numbers, yours among them: without them no payment"
                " could be given back."
            )
            if has.has_paid
            else Markup(),
            words.say("Who comes back begins anew, without a second welcome gift."),
        ),
        rows=(
            (_button(words.plain("📦 First, everything as a file"), Verb.EXPORT),),
            (_button(words.plain("Go on…"), Verb.LEAVE_SURELY, user_id),),
            (_button(words.plain("Keep my account"), Verb.KEEP),),
        ),
    )


def render_leaving_surely(words: Words, *, user_id: str) -> Screen:
    """The second question."""
    return Screen(
        html=_paragraphs(
            words.say("<b>Really delete everything?</b>"),
            words.say("Nobody can undo it, and the people who run this booth cannot either."),
        ),
        rows=(
            (_button(words.plain("Keep my account"), Verb.KEEP),),
            (_button(words.plain("🗑 Yes, delete everything"), Verb.LEAVE_NOW, user_id),),
        ),
    )


def render_left(words: Words) -> Screen:
    """The answer from which on the account is nobody's."""
    return _screen(
        words.say("Your account is deleted."),
        words.say("What belonged to it is being cleared away; I write once more when that is done."),
    )


def render_left_before(words: Words) -> Screen:
    """The answer to a button of an account that is not who presses any more."""
    return _screen(words.say("That account is gone already."))


def render_farewell(words: Words) -> Screen:
    """The last message of an account."""
    return _screen(
        words.say("All that belonged to your account is gone. It was nice to have you here."),
        words.say("/start begins anew, whenever you like."),
    )


def _what_happens(words: Words) -> Markup:
    return words.say(
        "They go at once, and so does what you put together from one. A picture in the works keeps its photo"
        " until it is ready. A training that waits is called off and costs nothing; one that runs ends early,"
        " and you pay for the steps it made. Finished pictures and models stay."
    )


def _what_ends(words: Words, has: Belongings) -> Markup:
    parts = [
        words.say_n(
            "{n} order in the works ends now; you will not see what comes of it.",
            "{n} orders in the works end now; you will not see what comes of them.",
            has.orders,
        )
        if has.orders
        else Markup(),
        words.say("Your monthly plan is stopped at Telegram.") if has.has_plan else Markup(),
    ]
    return Markup(" ").join(part for part in parts if part)


def _asking(words: Words, verb: Verb, label: str, *paragraphs: Markup) -> Screen:
    return Screen(
        html=_paragraphs(*paragraphs),
        rows=((_button(label, verb),), (_button(words.plain("No, keep it all"), Verb.KEEP),)),
    )


def _button(label: str, verb: Verb, subject: str = "") -> Button:
    return Button(label=label, action=str(Move(verb=verb, subject=subject)))


def _paragraphs(*paragraphs: Markup) -> str:
    return str(Markup("\n\n").join(part for part in paragraphs if part))


def _screen(*paragraphs: Markup) -> Screen:
    return Screen(html=_paragraphs(*paragraphs))
