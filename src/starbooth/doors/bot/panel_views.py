"""Reading and drawing a panel's pages, and putting them into the chat in place of what stood there."""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from starbooth.base.database import Tx
from starbooth.domain.catalog.offers import list_offers
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.studio.awaited import Awaited, What, await_answer
from starbooth.domain.studio.drafts import note_panel, read_draft
from starbooth.domain.studio.loras import list_loras
from starbooth.domain.studio.panel import Panel, newest_seed
from starbooth.domain.studio.presets import list_presets
from starbooth.doors.bot import panel_pages as pages
from starbooth.doors.bot.desk import Desk
from starbooth.doors.bot.panel_moves import Page
from starbooth.doors.bot.panel_screens import render_home
from starbooth.doors.bot.words import Words
from starbooth.outside.telegram.errors import MessageGone, NotModified


async def draw_page(tx: Tx, words: Words, panel: Panel, page: Page) -> Screen:
    """One page of the panel, as it stands now."""
    match page:
        case Page.HOME:
            return render_home(words, panel, offers=[] if panel.can_start else await list_offers(tx))
        case Page.MODEL:
            return pages.render_models(words, panel, await list_offers(tx))
        case Page.SHAPE:
            return pages.render_shapes(words, panel)
        case Page.COUNT:
            return pages.render_counts(words, panel)
        case Page.LORAS:
            return await draw_loras(tx, words, panel, number=0)
        case Page.SEED:
            newest = await newest_seed(tx, user_id=panel.user_id)
            return pages.render_seeds(words, panel, newest=newest)
        case Page.ADVANCED:
            return pages.render_advanced(words, panel)
        case Page.STRENGTH:
            return pages.render_strengths(words, panel)
        case Page.PRESETS:
            return pages.render_presets(words, panel, await list_presets(tx, user_id=panel.user_id))


async def draw_loras(tx: Tx, words: Words, panel: Panel, *, number: int) -> Screen:
    """A page of the LoRAs to choose among, the first being 0."""
    page = await list_loras(
        tx,
        user_id=panel.user_id,
        base_model_id=panel.offer.base_model_id,
        besides=tuple(each.lora_id for each in panel.loras),
        limit=pages.LORAS_ON_A_PAGE,
        offset=number * pages.LORAS_ON_A_PAGE,
    )
    return pages.render_loras(words, panel, page, number=number)


async def put(desk: Desk, screen: Screen, *, chat_id: int, message_id: int | None) -> int:
    """Make this message the screen, or send it where there is none; returns the message that shows it.

    Repeat: harmless where there is a message.
    """
    if message_id is not None:
        try:
            await desk.messenger.edit_text(screen, chat_id=chat_id, message_id=message_id)
        except NotModified:
            return message_id
        except MessageGone:
            return await desk.send(screen, chat_id=chat_id)
        return message_id
    return await desk.send(screen, chat_id=chat_id)


async def put_draft(desk: Desk, screen: Screen, panel: Panel) -> None:
    """`put` for a draft's panel; the message is noted, as it becomes the order's."""
    draft = panel.draft
    assert draft is not None
    shown = await put(desk, screen, chat_id=draft.chat_id, message_id=draft.message_id)
    async with desk.database.transaction() as tx:
        await note_panel(tx, await read_draft(tx, draft.draft_id, user_id=draft.user_id), shown)
        await await_words(tx, panel, shown)


async def await_words(tx: Tx, panel: Panel, message_id: int | None) -> None:
    """Take the guest's next text for the words of this panel's photo, while it has none. Repeat: harmless."""
    if panel.draft is not None and not panel.draft.prompt:
        awaited = Awaited(what=What.WORDS, draft_id=panel.draft.draft_id, message_id=message_id)
        await await_answer(tx, awaited, user_id=panel.user_id)
