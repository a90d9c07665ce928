"""Plain words that are no order at once: answers to a panel, and drafts of who wants to be asked first."""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
import re
from dataclasses import replace

from aiogram.types import Message
from aiogram.types import Update as ParsedUpdate

from starbooth.base.database import Tx
from starbooth.base.errors import Refusal
from starbooth.domain.generations.choices import LONGEST_NEGATIVE, Choices
from starbooth.domain.generations.errors import OutOfRange
from starbooth.domain.generations.request import clean_prompt, clean_words
from starbooth.domain.studio.awaited import Awaited, What, forget_awaited, read_awaited
from starbooth.domain.studio.drafts import Draft, change_draft, draft_id_for, open_draft
from starbooth.domain.studio.errors import NoSuchDraft
from starbooth.domain.studio.panel import Panel, change_panel, read_panel
from starbooth.domain.studio.presets import save_preset
from starbooth.doors.bot.desk import Desk, Met
from starbooth.doors.bot.inbox import NOTE, note_in_update
from starbooth.doors.bot.panel_moves import Page
from starbooth.doors.bot.panel_views import await_words, draw_page, put, put_draft

_NOTE = re.compile(r"answer:(me|c[a-z0-9]{24}):([0-9]{1,19}):([a-z])")
_SEED = re.compile(r"[0-9]{1,19}")
_PAGES = {
    What.WORDS: Page.HOME,
    What.SEED: Page.HOME,
    What.NEGATIVE: Page.ADVANCED,
    What.PRESET: Page.PRESETS,
}


async def take_answer(desk: Desk, message: Message, met: Met, update: ParsedUpdate) -> bool:
    """Take the message as the answer to what a panel asked; false where none asked.

    Nonsense is refused in words, and the panel goes on asking. Repeat: what was done is noted in the update,
    so a second handling shows the panel and takes the words for nothing else.
    """
    try:
        async with desk.database.transaction() as tx:
            place = _place_in((update.model_extra or {}).get(NOTE))
            if place is None:
                awaited = await read_awaited(tx, user_id=met.guest.user_id)
                if awaited is None:
                    return False
                place = (awaited.draft_id, awaited.message_id, _PAGES[awaited.what])
                await _apply(tx, awaited, message.text or "", met)
                await forget_awaited(tx, user_id=met.guest.user_id)
                await note_in_update(tx, update.update_id, _note(*place))
            draft_id, message_id, page = place
            panel = await read_panel(tx, draft_id, user_id=met.guest.user_id)
            await await_words(tx, panel, message_id)
            screen = await draw_page(tx, met.words, panel, page)
    except Refusal as refusal:
        if isinstance(refusal, NoSuchDraft):
            async with desk.database.transaction() as tx:
                await forget_awaited(tx, user_id=met.guest.user_id)
        await desk.refuse(refusal, met.words, message)
        return True
    await put(desk, screen, chat_id=message.chat.id, message_id=message_id)
    return True


async def ask_first(desk: Desk, message: Message, met: Met, prompt: str, choices: Choices) -> None:
    """Open a draft of these words, with a button that orders it. Repeat: the first one's panel.

    Raises: PromptEmpty, PromptTooLong.
    """
    draft = Draft(
        draft_id=draft_id_for(f"tg:{message.chat.id}:{message.message_id}"),
        user_id=met.guest.user_id,
        chat_id=message.chat.id,
        prompt=clean_prompt(prompt),
        choices=choices,
        asked_by=message.message_id,
    )
    await show_draft(desk, met, draft)


async def show_draft(desk: Desk, met: Met, draft: Draft) -> Panel | None:
    """Open a draft and show its panel; None where it was opened before by another message, or is ordered.

    Repeat: the panel that is there is shown again. Raises: PhotoGone.
    """
    try:
        async with desk.database.transaction() as tx:
            kept = await open_draft(tx, draft)
            if kept.asked_by != draft.asked_by:
                return None
            panel = await read_panel(tx, draft.draft_id, user_id=draft.user_id)
            screen = await draw_page(tx, met.words, panel, Page.HOME)
    except NoSuchDraft:
        return None
    await put_draft(desk, screen, panel)
    return panel


async def _apply(tx: Tx, awaited: Awaited, text: str, met: Met) -> None:
    """Do what the answer says. Raises: OutOfRange, PromptEmpty, PromptTooLong, NoSuchDraft, PresetsFull …"""
    panel = await read_panel(tx, awaited.draft_id, user_id=met.guest.user_id)
    match awaited.what:
        case What.WORDS:
            if panel.draft is not None:
                await change_draft(tx, replace(panel.draft, prompt=clean_prompt(text)))
        case What.SEED:
            await change_panel(tx, panel, replace(panel.choices, seed=_read_seed(text)))
        case What.NEGATIVE:
            await change_panel(tx, panel, replace(panel.choices, negative=_read_negative(text)))
        case What.PRESET:
            await save_preset(tx, text, panel.choices, user_id=met.guest.user_id)


def _read_seed(text: str) -> int:
    written = text.strip()
    if not _SEED.fullmatch(written) or not written.isascii():
        raise OutOfRange("seed", least=0, most=2**63 - 1)
    return int(written)


def _read_negative(text: str) -> str:
    kept = clean_words(text)
    if len(kept) > LONGEST_NEGATIVE:
        raise OutOfRange("negative", least=0, most=LONGEST_NEGATIVE)
    return kept


def _note(draft_id: str | None, message_id: int | None, page: Page) -> str:
    return f"answer:{draft_id or 'me'}:{message_id or 0}:{page}"


def _place_in(note: str | None) -> tuple[str | None, int | None, Page] | None:
    """Whose panel an earlier handling of the update has changed, where it stands, and which page it shows."""
    found = _NOTE.fullmatch(note or "")
    if found is None:
        return None
    return None if found[1] == "me" else found[1], int(found[2]) or None, Page(found[3])
