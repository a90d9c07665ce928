"""Inline mode: what a guest types reaches the bot, and what it offers can be sent anywhere."""

import asyncio
from io import BytesIO

import httpx
import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import (
    BufferedInputFile,
    InlineQuery,
    InlineQueryResultArticle,
    InlineQueryResultCachedPhoto,
    InlineQueryResultPhoto,
    InlineQueryResultsButton,
    InputTextMessageContent,
    Update,
)
from PIL import Image

from tests.playground.conftest import Served, eventually, picture
from tests.playground.group import make_group
from tests.playground.guest import Guest, InlineAnswer


async def updates(playground: Served, bot: Bot) -> list[Update]:
    await eventually(lambda: len(playground.world.updates) > 0)
    playground.clock.now_s += 10
    found = await bot.get_updates(timeout=0)
    playground.world.updates.drop_all()
    return found


async def next_query(playground: Served, bot: Bot) -> InlineQuery:
    query = (await updates(playground, bot))[0].inline_query
    assert query is not None
    return query


async def file_id(bot: Bot, ada: Guest) -> str:
    sent = await bot.send_photo(ada.user_id, BufferedInputFile(picture(400, 300), "a.png"))
    assert sent.photo is not None
    return sent.photo[-1].file_id


def cached(result_id: str, photo: str, caption: str | None = None) -> InlineQueryResultCachedPhoto:
    return InlineQueryResultCachedPhoto(id=result_id, photo_file_id=photo, caption=caption, parse_mode="HTML")


class TestAsking:
    async def test_a_result_is_offered_and_sent_via_the_bot(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        photo = await file_id(bot, ada)
        group = await make_group(ada)
        playground.world.updates.drop_all()
        here = group.seat(ada)
        asking = asyncio.create_task(here.ask_inline("fox"))
        query = await next_query(playground, bot)
        assert (query.query, query.offset, query.chat_type, query.from_user.id) == (
            "fox",
            "",
            "supergroup",
            ada.user_id,
        )
        button = InlineQueryResultsButton(text="Paint another", start_parameter="more")
        await bot.answer_inline_query(
            query.id,
            [cached("1", photo, "<b>a fox</b>")],
            next_offset="n",
            is_personal=True,
            button=button,
        )
        answer = await asking
        assert answer is not None
        assert (answer.ids, answer.raw["next_offset"], answer.raw["cache_time"]) == (["1"], "n", 300)
        assert answer.raw["button"] == {"text": "Paint another", "start_parameter": "more"}
        sent = await here.pick(answer, "1")
        assert (sent.text, sent.raw["via_bot"]["id"], sent.raw["from"]["id"]) == ("a fox", 42, ada.user_id)
        assert await ada.download(sent.photo_id)
        seen = await updates(playground, bot)
        assert seen[0].message is not None
        assert seen[1].chosen_inline_result is not None
        assert (seen[1].chosen_inline_result.result_id, seen[1].chosen_inline_result.query) == ("1", "fox")

    async def test_an_answer_is_shown_again_until_it_is_old_and_a_personal_one_to_nobody_else(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        for is_personal in (True, False):
            words = f"fox {is_personal}"
            asking = asyncio.create_task(ada.ask_inline(words))
            query = await next_query(playground, bot)
            await bot.answer_inline_query(query.id, [], cache_time=60, is_personal=is_personal)
            first = await asking
            assert first is not None
            assert await ada.ask_inline(words, timeout_s=0) is not None
            async with Guest(playground.url, "Bo") as boris:
                assert (await boris.ask_inline(words, timeout_s=0) is None) == is_personal
            playground.clock.now_s += 61
            assert await ada.ask_inline(words, timeout_s=0) is None
            playground.world.updates.drop_all()

    async def test_nobody_answers_in_time(self, playground: Served, bot: Bot, ada: Guest) -> None:
        assert await ada.ask_inline("fox", timeout_s=0) is None
        query = await next_query(playground, bot)
        playground.clock.now_s += 31
        with pytest.raises(TelegramBadRequest, match="query is too old"):
            await bot.answer_inline_query(query.id, [])
        with pytest.raises(TelegramBadRequest, match="query is too old"):
            await bot.answer_inline_query("1", [])

    async def test_only_the_own_results_can_be_picked(self, playground: Served, bot: Bot, ada: Guest) -> None:
        asking = asyncio.create_task(ada.ask_inline("fox"))
        query = await next_query(playground, bot)
        await bot.answer_inline_query(query.id, [cached("1", await file_id(bot, ada))])
        answer = await asking
        assert answer is not None
        async with Guest(playground.url, "Bo") as boris:
            with pytest.raises(httpx.HTTPStatusError, match="404"):
                await boris.pick(answer, "1")
        for bad in (InlineAnswer("9", {}), answer):
            with pytest.raises(httpx.HTTPStatusError, match="404"):
                await ada.pick(bad, "2")


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            ({"count": 51}, "RESULTS_TOO_MUCH"),
            ({"ids": ["a", "a"]}, "RESULT_ID_DUPLICATE"),
            ({"ids": ["x" * 65]}, "RESULT_ID_INVALID"),
            ({"photo": "nothing"}, "wrong remote file identifier"),
            ({"next_offset": "x" * 65}, "NEXT_OFFSET_INVALID"),
            ({"start": "a b"}, "START_PARAM_INVALID"),
            ({"article": True}, "photos without keyboards only"),
        ],
    )
    async def test_a_wrong_answer_is_refused_and_the_query_still_waits(
        self, playground: Served, bot: Bot, ada: Guest, change: dict[str, object], complaint: str
    ) -> None:
        photo = str(change.get("photo") or await file_id(bot, ada))
        ids = change.get("ids") or [str(number) for number in range(int(str(change.get("count", 1))))]
        assert isinstance(ids, list)
        results: list[object] = [cached(each, photo) for each in ids]
        if "article" in change:
            content = InputTextMessageContent(message_text="x")
            results = [InlineQueryResultArticle(id="1", title="x", input_message_content=content)]
        asking = asyncio.create_task(ada.ask_inline("fox"))
        query = await next_query(playground, bot)
        button = None
        if "start" in change:
            button = InlineQueryResultsButton(text="x", start_parameter=str(change["start"]))
        with pytest.raises(TelegramBadRequest, match=complaint):
            await bot.answer_inline_query(
                query.id,
                results,  # type: ignore[arg-type] # wrong on purpose in some
                next_offset=str(change.get("next_offset", "")),
                button=button,
            )
        await bot.answer_inline_query(query.id, [])
        assert await asking is not None


class TestByAddress:
    async def test_a_picture_of_this_machine_is_fetched_when_it_is_sent(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        url = f"{playground.url}/media/{await file_id(bot, ada)}"
        asking = asyncio.create_task(ada.ask_inline("fox"))
        query = await next_query(playground, bot)
        far = "https://example.org/a.jpg"
        results = [
            InlineQueryResultPhoto(id="near", photo_url=url, thumbnail_url=url),
            InlineQueryResultPhoto(id="far", photo_url=far, thumbnail_url=far),
            InlineQueryResultPhoto(id="gone", photo_url=f"{url}x", thumbnail_url=url),
        ]
        await bot.answer_inline_query(query.id, [*results])
        answer = await asking
        assert answer is not None
        sent = await ada.pick(answer, "near")
        assert Image.open(BytesIO(await ada.download(sent.photo_id))).size == (400, 300)
        for result_id in ("far", "gone"):
            with pytest.raises(httpx.HTTPStatusError, match="502"):
                await ada.pick(answer, result_id)
