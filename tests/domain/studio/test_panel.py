"""Panels: what a model cannot do is dropped and named, what is shown can be ordered."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.catalog.engines import seed_engines
from starbooth.domain.generations.choices import Choices, LoraChoice, Shape
from starbooth.domain.generations.errors import CountRefused, OutOfRange
from starbooth.domain.studio.awaited import (
    Awaited,
    What,
    await_answer,
    forget_awaited,
    forget_awaited_of,
    read_awaited,
)
from starbooth.domain.studio.fitting import Dropped
from starbooth.domain.studio.loras import list_loras
from starbooth.domain.studio.panel import Panel, change_panel, newest_seed, read_panel
from starbooth.domain.studio.remembered import read_remembered, remember_choices
from tests.make.drafts import PHOTO, make_draft
from tests.make.guests import make_guest
from tests.make.loras import base_model_id, make_lora


async def settings_with(database: Database, user_id: str, choices: Choices) -> Panel:
    """The panel of what is remembered, with these choices."""
    async with database.transaction() as tx:
        return await change_panel(tx, await read_panel(tx, None, user_id=user_id), choices)


class TestChangePanel:
    async def test_what_is_remembered_and_a_draft_are_changed_apart(self, database: Database) -> None:
        ada = await make_guest(database)
        draft = await make_draft(database, ada)
        async with database.transaction() as tx:
            panel = await read_panel(tx, draft.draft_id, user_id=ada)
            panel = await change_panel(tx, panel, Choices(count=3))
            assert (await read_remembered(tx, user_id=ada)).choices == Choices()
            assert (await read_panel(tx, draft.draft_id, user_id=ada)).choices == Choices(count=3)
        assert panel.price_stars == 9
        await settings_with(database, ada, Choices(count=2))
        async with database.transaction() as tx:
            assert (await read_remembered(tx, user_id=ada)).choices == Choices(count=2)
            assert (await read_panel(tx, draft.draft_id, user_id=ada)).choices == Choices(count=3)

    async def test_another_model_keeps_what_it_can_and_names_the_rest(self, database: Database) -> None:
        ada = await make_guest(database)
        lora = LoraChoice(lora_id=await make_lora(database, ada), weight=0.7)
        rich = Choices(
            shape=Shape.LANDSCAPE_4_3, count=2, loras=(lora,), seed=5, steps=40, guidance=2.5, negative="fog"
        )
        assert (await settings_with(database, ada, rich)).dropped == ()
        fast_id = await base_model_id(database, "FLUX_FAST")
        panel = await settings_with(database, ada, replace(rich, base_model_id=fast_id))
        assert panel.dropped == (Dropped.LORAS, Dropped.STEPS)
        assert panel.choices == replace(rich, base_model_id=fast_id, loras=(), steps=None)
        assert panel.price_stars == 2

    async def test_a_negative_prompt_needs_an_engine_that_honours_it(self, database: Database) -> None:
        ada = await make_guest(database)
        async with database.transaction() as tx:
            await seed_engines(tx, ["fal"], slots=4)
        panel = await settings_with(database, ada, Choices(negative="fog"))
        assert (panel.dropped, panel.takes_negative) == ((Dropped.NEGATIVE,), False)
        async with database.transaction() as tx:
            await seed_engines(tx, ["fal", "darkroom"], slots=4)
        assert (await settings_with(database, ada, Choices(negative="fog"))).dropped == ()

    async def test_a_model_that_is_not_sold_any_more_gives_way_to_the_default(
        self, database: Database
    ) -> None:
        ada = await make_guest(database)
        fast_id = await base_model_id(database, "FLUX_FAST")
        await settings_with(database, ada, Choices(base_model_id=fast_id, count=2))
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.offers SET is_on = false WHERE price_stars = 1"))
            panel = await read_panel(tx, None, user_id=ada)
            assert (panel.dropped, panel.choices) == ((Dropped.MODEL,), Choices(count=2))
            assert (await read_panel(tx, None, user_id=ada)).dropped == ()

    async def test_loras_of_others_that_became_private_go(self, database: Database) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        mine, theirs = await make_lora(database, ada), await make_lora(database, bo, is_public=True)
        chosen = tuple(LoraChoice(lora_id=each) for each in (theirs, mine))
        panel = await settings_with(database, ada, Choices(loras=chosen))
        assert [each.lora_id for each in panel.loras] == [theirs, mine]
        async with database.transaction() as tx:
            await tx.execute(text('UPDATE public."LoraModel" SET "isPublic" = false'))
            panel = await read_panel(tx, None, user_id=ada)
        assert (panel.dropped, [each.lora_id for each in panel.loras]) == ((Dropped.LORAS,), [mine])

    async def test_a_model_that_cannot_start_from_the_photo_says_so_and_keeps_the_draft(
        self, database: Database
    ) -> None:
        ada = await make_guest(database)
        draft = await make_draft(database, ada, photo=PHOTO)
        fast = Choices(base_model_id=await base_model_id(database, "FLUX_FAST"))
        async with database.transaction() as tx:
            panel = await read_panel(tx, draft.draft_id, user_id=ada)
            assert panel.can_start
            assert not (await change_panel(tx, panel, fast)).can_start

    @pytest.mark.parametrize("choices", [Choices(seed=-1), Choices(seed=2**63), Choices(strength=0.0)])
    async def test_what_no_model_takes_is_refused_and_not_kept(
        self, database: Database, choices: Choices
    ) -> None:
        ada = await make_guest(database)
        with pytest.raises(OutOfRange):
            await settings_with(database, ada, choices)
        with pytest.raises(CountRefused):
            await settings_with(database, ada, Choices(count=5))
        async with database.transaction() as tx:
            assert (await read_remembered(tx, user_id=ada)).choices == Choices()

    async def test_who_ordered_nothing_has_no_newest_seed(self, database: Database) -> None:
        ada = await make_guest(database)
        async with database.transaction() as tx:
            await remember_choices(tx, Choices(seed=3), user_id=ada)
            assert await newest_seed(tx, user_id=ada) is None


class TestListLoras:
    async def test_own_ones_first_then_public_ones_of_this_model_page_by_page(
        self, database: Database
    ) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        mine = [await make_lora(database, ada, name=name) for name in ("mine 1", "mine 2")]
        await make_lora(database, ada, name="unfinished", status="TRAINING")
        await make_lora(database, ada, name="of another model", base_model="FLUX_PORTRAIT")
        await make_lora(database, bo, name="private")
        for name in ("oil", "chalk"):
            await make_lora(database, bo, name=name, is_public=True)
        pages = []
        async with database.transaction() as tx:
            flux = (await read_panel(tx, None, user_id=ada)).offer.base_model_id
            for offset in (0, 2):
                page = await list_loras(
                    tx, user_id=ada, base_model_id=flux, besides=(mine[1],), limit=2, offset=offset
                )
                pages.append(([(each.name, each.is_own) for each in page.loras], page.has_more))
        assert pages == [([("mine 1", True), ("chalk", False)], True), ([("oil", False)], False)]


class TestAwaited:
    async def test_one_question_at_a_time_and_not_for_ever(self, database: Database) -> None:
        ada = await make_guest(database, telegram_id=55)
        seed = Awaited(what=What.SEED, draft_id=None, message_id=3)
        async with database.transaction() as tx:
            assert await read_awaited(tx, user_id=ada) is None
            await await_answer(tx, Awaited(what=What.NEGATIVE, draft_id=None, message_id=3), user_id=ada)
            await await_answer(tx, seed, user_id=ada)
            assert await read_awaited(tx, user_id=ada) == seed
            await forget_awaited_of(tx, telegram_id=56, with_words_of_photos=True)
            assert await read_awaited(tx, user_id=ada) == seed
            await forget_awaited_of(tx, telegram_id=55, with_words_of_photos=True)
            assert await read_awaited(tx, user_id=ada) is None
            await await_answer(tx, seed, user_id=ada)
            await forget_awaited(tx, user_id=ada)
            assert await read_awaited(tx, user_id=ada) is None
            await await_answer(tx, seed, user_id=ada)
            await tx.execute(text("UPDATE starbooth.awaited SET expires_at = now()"))
            assert await read_awaited(tx, user_id=ada) is None
