"""What each button of a set changes, and the page that is shown then. Everything but ordering."""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from dataclasses import replace

from starbooth.base.database import Tx
from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.studio.awaited import AwaitedOfSet, WhatOfSet, await_of_set
from starbooth.domain.trainings.consent import give_consent, withdraw_consent
from starbooth.domain.trainings.errors import NoSuchPhoto
from starbooth.domain.trainings.gathering import caption_photo, keep_whole, remove_photo
from starbooth.domain.trainings.photo_sets import PhotoSet, change_set, doom_set, read_open_set
from starbooth.domain.trainings.trigger_words import propose_trigger_word
from starbooth.doors.bot.desk import Desk, Met
from starbooth.doors.bot.train_choices import consent_words, word_question
from starbooth.doors.bot.train_moves import Move, Page, Question, Verb
from starbooth.doors.bot.train_screens import render_ask_delete, render_caption, render_deleted
from starbooth.doors.bot.train_views import SetView, draw_page, read_train_panel

_MILLION = 1_000_000
_PAGE_AFTER = {
    Verb.REMOVE: Page.REMOVE,
    Verb.CUT: Page.CUTS,
    Verb.WHOLE: Page.CUTS,
    Verb.STEPS: Page.ADVANCED,
    Verb.RATE: Page.ADVANCED,
    Verb.OWN_RECIPE: Page.ADVANCED,
    Verb.OWN_CAPTION: Page.CAPTIONS,
    Verb.NEW_WORD: Page.CHOICES,
    Verb.AGREE: Page.CHOICES,
}
_ASKED = {
    Question.NAME: WhatOfSet.NAME,
    Question.WORD: WhatOfSet.WORD,
    Question.STEPS: WhatOfSet.STEPS,
    Question.RATE: WhatOfSet.RATE,
}


async def change(tx: Tx, desk: Desk, move: Move, met: Met, message_id: int | None) -> SetView:
    """Do what the button says and return what there is to see then. Locks: the set. Repeat: harmless.

    Raises: NoSuchSet, NoSuchPhoto.
    """
    user_id = met.guest.user_id
    photo_set = await read_open_set(tx, move.set_id, user_id=user_id)
    if move.verb in (Verb.DELETE, Verb.WITHDRAW):
        return await _delete(tx, met, photo_set)
    photo_set = await _set(tx, move, met, replace(photo_set, message_id=message_id, refused=()))
    await change_set(tx, photo_set)
    match move.verb:
        case Verb.ASK_DELETE:
            return SetView(screen=render_ask_delete(met.words, await read_train_panel(tx, photo_set)))
        case Verb.CAPTION:
            return await ask_caption(tx, met, photo_set, int(move.value))
        case Verb.TYPE:
            return await _ask(tx, met, photo_set, Question(move.value))
        case Verb.VIEW:
            page = Page(move.value)
        case _:
            page = _PAGE_AFTER.get(move.verb, Page.PHOTOS)
    panel = await read_train_panel(tx, photo_set)
    keep_days = desk.terms.trainings.keep_photos.days
    return draw_page(met, panel, page, keep_days=keep_days)


async def _set(tx: Tx, move: Move, met: Met, chosen: PhotoSet) -> PhotoSet:
    """The set with what the button sets; what it says of one photo is written at once."""
    match move.verb:
        case Verb.KIND:
            return await _of_kind(tx, met, chosen, LoraType(move.value))
        case Verb.REMOVE:
            await remove_photo(tx, chosen.set_id, int(move.value))
        case Verb.CUT | Verb.WHOLE:
            await keep_whole(tx, chosen.set_id, int(move.value), is_whole=move.verb is Verb.WHOLE)
        case Verb.OWN_CAPTION:
            await caption_photo(tx, chosen.set_id, int(move.value), "")
        case Verb.STEPS:
            return replace(chosen, steps=int(move.value))
        case Verb.RATE:
            return replace(chosen, learning_rate=int(move.value) / _MILLION)
        case Verb.OWN_RECIPE:
            return replace(chosen, steps=None, learning_rate=None)
        case Verb.NEW_WORD:
            return replace(chosen, trigger_word=await propose_trigger_word(tx, user_id=chosen.user_id))
        case Verb.AGREE if chosen.consent_id is None:
            words = consent_words(met.words)
            language = met.guest.language
            consent_id = await give_consent(tx, user_id=chosen.user_id, words=words, language=language)
            return replace(chosen, consent_id=consent_id)
    return chosen


async def _of_kind(tx: Tx, met: Met, chosen: PhotoSet, kind: LoraType) -> PhotoSet:
    """Of another kind the recipe is another one; name and word are proposed where there are none."""
    names = {LoraType.PORTRAIT: met.words.plain("Me"), LoraType.STYLE: met.words.plain("My style")}
    if chosen.lora_type is not kind:
        chosen = replace(chosen, lora_type=kind, steps=None, learning_rate=None)
    return replace(
        chosen,
        name=chosen.name if chosen.name and chosen.name not in names.values() else names[kind],
        trigger_word=chosen.trigger_word or await propose_trigger_word(tx, user_id=chosen.user_id),
    )


async def _delete(tx: Tx, met: Met, photo_set: PhotoSet) -> SetView:
    """The photos go, and with them the consent to learn from them."""
    if photo_set.consent_id is not None:
        await withdraw_consent(tx, photo_set.consent_id, user_id=photo_set.user_id)
    await doom_set(tx, photo_set.set_id, user_id=photo_set.user_id)
    return SetView(screen=render_deleted(met.words), photos=())


async def _ask(tx: Tx, met: Met, photo_set: PhotoSet, question: Question) -> SetView:
    panel = await read_train_panel(tx, photo_set)
    if panel.offer is None:
        return draw_page(met, panel, Page.PHOTOS)
    awaited = AwaitedOfSet(what=_ASKED[question], message_id=photo_set.message_id)
    await await_of_set(tx, awaited, user_id=photo_set.user_id)
    return SetView(screen=word_question(met.words, panel, question, panel.offer))


async def ask_caption(tx: Tx, met: Met, photo_set: PhotoSet, number: int) -> SetView:
    """Show one photo and take the guest's next text for its caption. Raises: NoSuchPhoto."""
    panel = await read_train_panel(tx, photo_set)
    photo = next((each for each in panel.photos if each.number == number), None)
    if photo is None:
        raise NoSuchPhoto
    awaited = AwaitedOfSet(what=WhatOfSet.CAPTION, message_id=photo_set.message_id, number=number)
    await await_of_set(tx, awaited, user_id=photo_set.user_id)
    return SetView(screen=render_caption(met.words, panel, photo), photos=(photo,))
