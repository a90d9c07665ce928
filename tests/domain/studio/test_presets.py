"""Presets and what is remembered: per guest, few, and replaced by saving over."""

import pytest

from starbooth.base.database import Database
from starbooth.domain.generations.choices import Choices, Shape
from starbooth.domain.studio.errors import NoSuchPreset, PresetNameRefused, PresetsFull
from starbooth.domain.studio.presets import (
    MOST_PRESETS,
    delete_preset,
    list_presets,
    read_preset,
    save_preset,
)
from starbooth.domain.studio.remembered import (
    Remembered,
    read_remembered,
    remember_choices,
    set_asks_first,
)
from tests.make.guests import make_guest

TALL = Choices(shape=Shape.PORTRAIT_16_9, count=2, seed=2**63 - 1, guidance=2.5, negative="fog")


class TestRemembered:
    async def test_a_guest_who_chose_nothing_has_the_defaults(self, database: Database) -> None:
        ada = await make_guest(database)
        async with database.transaction() as tx:
            assert await read_remembered(tx, user_id=ada) == Remembered()

    async def test_choices_and_the_switch_are_remembered_apart_and_for_this_guest_only(
        self, database: Database
    ) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        async with database.transaction() as tx:
            await set_asks_first(tx, True, user_id=ada)
            await remember_choices(tx, TALL, user_id=ada)
            await remember_choices(tx, TALL, user_id=ada)
            assert await read_remembered(tx, user_id=ada) == Remembered(choices=TALL, asks_first=True)
            await set_asks_first(tx, False, user_id=ada)
            assert await read_remembered(tx, user_id=ada) == Remembered(choices=TALL)
            assert await read_remembered(tx, user_id=bo) == Remembered()


class TestSavePreset:
    async def test_saving_over_a_name_replaces_it(self, database: Database) -> None:
        ada = await make_guest(database)
        async with database.transaction() as tx:
            first = await save_preset(tx, "  tall\n one ", TALL, user_id=ada)
            await save_preset(tx, "tall one", Choices(count=3), user_id=ada)
            kept = await list_presets(tx, user_id=ada)
        assert first.name == "tall one"
        assert [(each.name, each.choices) for each in kept] == [("tall one", Choices(count=3))]

    @pytest.mark.parametrize("name", ["", "   ", "\x00", "n" * 33])
    async def test_a_name_that_is_none_is_refused(self, database: Database, name: str) -> None:
        ada = await make_guest(database)
        async with database.transaction() as tx:
            with pytest.raises(PresetNameRefused):
                await save_preset(tx, name, TALL, user_id=ada)

    async def test_a_full_shelf_takes_no_new_name_but_an_old_one(self, database: Database) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        async with database.transaction() as tx:
            for number in range(MOST_PRESETS):
                await save_preset(tx, f"{number}", TALL, user_id=ada)
            await save_preset(tx, "3", Choices(), user_id=ada)
            await save_preset(tx, "of another guest", TALL, user_id=bo)
            with pytest.raises(PresetsFull):
                await save_preset(tx, "one more", TALL, user_id=ada)


class TestReadPreset:
    async def test_somebody_elses_is_as_good_as_none(self, database: Database) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        async with database.transaction() as tx:
            preset = await save_preset(tx, "tall", TALL, user_id=ada)
            assert await read_preset(tx, preset.preset_id, user_id=ada) == preset
            with pytest.raises(NoSuchPreset):
                await read_preset(tx, preset.preset_id, user_id=bo)
            await delete_preset(tx, preset.preset_id, user_id=bo)
            assert await list_presets(tx, user_id=ada) == [preset]

    async def test_one_that_was_deleted_is_none_and_deleting_it_again_is_harmless(
        self, database: Database
    ) -> None:
        ada = await make_guest(database)
        async with database.transaction() as tx:
            preset = await save_preset(tx, "tall", TALL, user_id=ada)
            await delete_preset(tx, preset.preset_id, user_id=ada)
            await delete_preset(tx, preset.preset_id, user_id=ada)
            with pytest.raises(NoSuchPreset):
                await read_preset(tx, preset.preset_id, user_id=ada)
