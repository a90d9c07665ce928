"""/settings and every button of a panel. One message, changed in place.

A press sets a value in the database first and shows it then; handled twice it sets the same. What a panel
orders bears the draft's id as its key, so however often it is pressed one order comes of it.
"""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from dataclasses import replace

from aiogram import F, Router
from aiogram.filters import Command as CommandFilter
from aiogram.types import CallbackQuery, Message

from starbooth.base.database import Tx
from starbooth.base.errors import Refusal
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.generations.errors import StarsMissing
from starbooth.domain.prompts.errors import PromptRefused
from starbooth.domain.studio.awaited import Awaited, What, await_answer, forget_awaited
from starbooth.domain.studio.drafts import (
    drop_draft,
    find_order,
    order_draft,
    read_draft,
    renew_draft,
    request_of,
    take_from_cart,
)
from starbooth.domain.studio.errors import NoSuchDraft
from starbooth.domain.studio.panel import Panel, change_panel, read_panel
from starbooth.domain.studio.presets import delete_preset, read_preset
from starbooth.domain.studio.remembered import set_asks_first
from starbooth.doors.bot.answers import word_refusal
from starbooth.doors.bot.commands import Command
from starbooth.doors.bot.desk import Desk, Met
from starbooth.doors.bot.panel_moves import PREFIX, Move, Page, Verb, choose, parse_move
from starbooth.doors.bot.panel_pages import word_question
from starbooth.doors.bot.panel_screens import render_put_away, render_question, take_back_button
from starbooth.doors.bot.panel_views import await_words, draw_loras, draw_page, put
from starbooth.doors.bot.pieces import plain_stars
from starbooth.doors.bot.presses import Pressed

_PAGE_AFTER = {
    Verb.LORA: Page.LORAS,
    Verb.STEPS: Page.ADVANCED,
    Verb.GUIDANCE: Page.ADVANCED,
    Verb.CLEAR_NEGATIVE: Page.ADVANCED,
}


def panel_router(desk: Desk) -> Router:
    """The handlers, in a router of its own."""
    panels = _Panels(desk)
    router = Router()
    router.message.register(panels.on_settings, CommandFilter(Command.SETTINGS, ignore_case=True))
    router.callback_query.register(panels.on_press, F.data.startswith(PREFIX))
    return router


class _Panels:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def on_settings(self, message: Message) -> None:
        """Show what is remembered, to be changed."""
        met = await self._desk.meet(message.from_user)
        async with self._desk.database.transaction() as tx:
            panel = await read_panel(tx, None, user_id=met.guest.user_id)
            screen = await draw_page(tx, met.words, panel, Page.HOME)
        await self._desk.send(screen, chat_id=message.chat.id)

    async def on_press(self, query: CallbackQuery) -> None:
        """Do what a button says, show the panel as it is then, and always answer the press."""
        met = await self._desk.meet(query.from_user)
        move = parse_move(query.data)
        message_id = query.message.message_id if query.message else None
        if move is None:
            pressed = Pressed(
                toast=met.words.plain("This button does nothing any more. Nothing was charged.")
            )
        else:
            pressed = await self._press(move, met, message_id)
        if pressed.screen is not None:
            await put(self._desk, pressed.screen, chat_id=query.from_user.id, message_id=message_id)
        await self._desk.messenger.answer_press(query.id, pressed.toast, is_alert=pressed.is_alert)

    async def _press(self, move: Move, met: Met, message_id: int | None) -> Pressed:
        try:
            if move.verb is Verb.ORDER and self._desk.has_prompt_check:
                await self._check_words(move, met)
            async with self._desk.database.transaction() as tx:
                if move.verb is Verb.ORDER:
                    return await self._order(tx, move, met, message_id)
                return await self._change(tx, move, met, message_id)
        except StarsMissing as refusal:
            return await self._wait_for_stars(refusal, move, met)
        except PromptRefused as refusal:
            return await self._renew(refusal, move, met)
        except NoSuchDraft as refusal:
            return await self._without_draft(refusal, move, met)
        except Refusal as refusal:
            await self._desk.count_refusal(refusal)
            return Pressed(toast=word_refusal(refusal, met.words).striptags(), is_alert=True)

    async def _check_words(self, move: Move, met: Met) -> None:
        """Before the order, as no transaction may be open meanwhile. Raises: NoSuchDraft, what it says."""
        assert move.draft_id is not None  # no such move without one
        async with self._desk.database.transaction() as tx:
            draft = await read_draft(tx, move.draft_id, user_id=met.guest.user_id)
        await self._desk.check_prompt(request_of(draft))

    async def _change(self, tx: Tx, move: Move, met: Met, message_id: int | None) -> Pressed:
        """Everything but ordering. Locks: the draft. Repeat: harmless."""
        words, user_id, draft_id = met.words, met.guest.user_id, move.draft_id
        await forget_awaited(tx, user_id=user_id)
        if move.verb is Verb.TAKE_BACK:
            assert draft_id is not None  # no such move without one
            draft_id = (await take_from_cart(tx, draft_id, user_id=user_id, message_id=message_id)).draft_id
        if move.verb is Verb.ASKS_FIRST:
            await set_asks_first(tx, move.value == "1", user_id=user_id)
        panel = await read_panel(tx, draft_id, user_id=user_id)
        await await_words(tx, panel, message_id)
        match move.verb:
            case Verb.PUT_AWAY:
                assert draft_id is not None
                await drop_draft(tx, draft_id, user_id=user_id)
                return Pressed(toast="", screen=render_put_away(words))
            case Verb.TYPE:
                return Pressed(toast="", screen=await self._ask(tx, met, panel, What(move.value), message_id))
            case Verb.DELETE_PRESET:
                await delete_preset(tx, move.value, user_id=user_id)
                screen = await draw_page(tx, words, panel, Page.PRESETS)
                return Pressed(toast=words.plain("Deleted."), screen=screen)
            case Verb.VIEW:
                return Pressed(toast="", screen=await draw_page(tx, words, panel, Page(move.value)))
            case Verb.VIEW_LORAS:
                screen = await draw_loras(tx, words, panel, number=int(move.value))
                return Pressed(toast="", screen=screen)
        panel = await self._choose(tx, move, panel)
        screen = await draw_page(tx, words, panel, _PAGE_AFTER.get(move.verb, Page.HOME))
        return Pressed(toast="", screen=screen)

    async def _choose(self, tx: Tx, move: Move, panel: Panel) -> Panel:
        choices = choose(move, panel)
        if move.verb is Verb.PRESET:
            choices = (await read_preset(tx, move.value, user_id=panel.user_id)).choices
        return panel if choices is None else await change_panel(tx, panel, choices)

    async def _ask(self, tx: Tx, met: Met, panel: Panel, what: What, message_id: int | None) -> Screen:
        """Have the guest write something; the panel says what."""
        draft_id = None if panel.draft is None else panel.draft.draft_id
        awaited = Awaited(what=what, draft_id=draft_id, message_id=message_id)
        await await_answer(tx, awaited, user_id=panel.user_id)
        question, page = word_question(met.words, what)
        return render_question(met.words, panel, question, page)

    async def _order(self, tx: Tx, move: Move, met: Met, message_id: int | None) -> Pressed:
        """Order what the panel shows, unless it is dearer or otherwise by now: then show it anew."""
        words = met.words
        panel = await read_panel(tx, move.draft_id, user_id=met.guest.user_id)
        draft = panel.draft
        assert draft is not None  # no such move without one
        is_dearer = panel.price_stars > int(move.value)
        if is_dearer or panel.dropped or not panel.can_start or not draft.prompt:
            toast = words.plain("The price has changed.") if is_dearer else words.plain("Please look again.")
            return Pressed(toast=toast, screen=await draw_page(tx, words, panel, Page.HOME))
        await forget_awaited(tx, user_id=met.guest.user_id)
        placed = await order_draft(
            tx,
            replace(draft, message_id=message_id),
            limits=self._desk.terms.limits,
            recipient=Recipient(chat_id=draft.chat_id, reply_to_message_id=None, language=met.guest.language),
            price_stars=panel.price_stars,
        )
        return Pressed(
            toast=words.plain("On its way: {stars}.", stars=plain_stars(words, placed.price_stars))
        )

    async def _wait_for_stars(self, refusal: StarsMissing, move: Move, met: Met) -> Pressed:
        """Too few stars: the panel offers some and waits for them, where there are any to be had."""
        toast = word_refusal(refusal, met.words).striptags()
        if not self._desk.terms.packs:
            return Pressed(toast=toast, is_alert=True)
        assert move.draft_id is not None
        change = take_back_button(met.words, move.draft_id)
        screen = await self._desk.word_shortage_of_draft(refusal, met.words, move.draft_id, change)
        return Pressed(toast=toast, screen=screen)

    async def _renew(self, refusal: PromptRefused, move: Move, met: Met) -> Pressed:
        """The words are against the rules here: the panel waits for others."""
        await self._desk.count_refusal(refusal)
        assert move.draft_id is not None
        async with self._desk.database.transaction() as tx:
            draft = await renew_draft(tx, move.draft_id, user_id=met.guest.user_id)
            panel = await read_panel(tx, draft.draft_id, user_id=met.guest.user_id)
            screen = await draw_page(tx, met.words, panel, Page.HOME)
        return Pressed(toast=word_refusal(refusal, met.words).striptags(), is_alert=True, screen=screen)

    async def _without_draft(self, refusal: NoSuchDraft, move: Move, met: Met) -> Pressed:
        """The panel has gone: mostly since what it showed is ordered. Its message is left as it is."""
        assert move.draft_id is not None
        async with self._desk.database.transaction() as tx:
            order_id = await find_order(tx, move.draft_id, user_id=met.guest.user_id)
        if order_id is not None:
            return Pressed(toast=met.words.plain("On its way."))
        return Pressed(toast=word_refusal(refusal, met.words).striptags())
