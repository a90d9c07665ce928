"""/settings: one message changed in place, every choice by a button, and nothing that cannot be had."""

import asyncio

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.generations.choices import Choices, LoraChoice, Shape
from starbooth.domain.models.reports import hide_model
from starbooth.domain.users.guests import find_user
from tests.doors.bot.buying import execute
from tests.doors.bot.chat import answer_to, balance_of, start
from tests.doors.bot.conftest import MakeGuest
from tests.doors.bot.panels import choices_of, choose, now, open_settings, press, remembered
from tests.doors.bot.worker import Worker
from tests.make.guests import make_guest
from tests.make.loras import base_model_id, make_lora
from tests.playground.guest import Guest, Message

pytestmark = pytest.mark.usefixtures("at_work")


async def user_id_of(database: Database, guest: Guest) -> str:
    async with database.transaction() as tx:
        return await find_user(tx, str(guest.user_id))


class TestChoosing:
    async def test_it_is_one_message_and_what_was_chosen_holds_for_the_next_order(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        await start(ada)
        panel = await open_settings(ada)
        panel = await choose(ada, panel, "Model:", "Flux fast", "Shape:", "9:16", "Pictures:", "3")
        assert "Model: Flux fast\nShape: ▯ 9:16\nPictures: 3\nSeed: random" in panel.text
        assert "An order costs 3 stars." in panel.text
        assert len([each for each in await ada.messages() if each.is_from_bot]) == 2
        await ada.say("a red boat")
        await worker.wait_for_order()
        order = (await worker.orders())[0]
        frozen = order.request["frozen"]
        assert (order.parts, order.price_stars, frozen["model_name"]) == (3, 3, "Flux fast")
        assert (frozen["width_px"], frozen["height_px"]) == (576, 1024)

    async def test_every_shape_of_fal_is_there_by_its_ratio(self, ada: Guest, database: Database) -> None:
        await start(ada)
        panel = await choose(ada, await open_settings(ada), "Shape:")
        assert panel.labels[:6] == ["◻ 1:1 HD", "◻ 1:1", "▯ 3:4", "▯ 9:16", "▭ 4:3", "▭ 16:9"]
        for label, shape in zip(panel.labels[:6], Shape, strict=True):
            chosen = next(each for each in panel.buttons if each["text"] == label)
            exact = Message({**panel.raw, "reply_markup": {"inline_keyboard": [[chosen]]}})
            await ada.press(exact, label)
            await choose(ada, panel, "Shape:")
            assert (await choices_of(database, ada)).shape is shape
        await choose(ada, panel, "As the model likes")
        assert await choices_of(database, ada) == Choices()

    async def test_another_model_drops_what_it_cannot_and_says_so(
        self, ada: Guest, database: Database
    ) -> None:
        await start(ada)
        await make_lora(database, await user_id_of(database, ada), name="Me")
        panel = await choose(ada, await open_settings(ada), "LoRAs:", "+ Me (yours)", "Back")
        assert "LoRAs: Me 1" in panel.text
        panel = await choose(ada, panel, "Model:", "Flux fast")
        assert "Some LoRAs do not go with Flux fast, so I took them out." in panel.text
        assert not any("LoRAs" in label for label in panel.labels)
        assert "took them out" not in (await choose(ada, panel, "Seed:", "Back")).text

    async def test_reset_goes_back_to_the_defaults(self, ada: Guest, database: Database) -> None:
        await start(ada)
        panel = await choose(ada, await open_settings(ada), "Pictures:", "4", "Reset all")
        assert "Pictures: 1" in panel.text
        assert await choices_of(database, ada) == Choices()

    async def test_price_and_wait_are_told_before_anything_is_ordered(
        self, ada: Guest, worker: Worker
    ) -> None:
        await start(ada)
        await ada.say("a red boat")
        await worker.wait_for_order()
        await worker.paint_all()
        panel = await open_settings(ada)
        assert "An order costs 3 stars and is ready in a few seconds." in panel.text


class TestLoras:
    async def test_weights_go_by_tenths_and_stop_at_their_ends(self, ada: Guest, database: Database) -> None:
        await start(ada)
        lora_id = await make_lora(database, await user_id_of(database, ada), name="Me")
        panel = await choose(ada, await open_settings(ada), "LoRAs:", "+ Me", "−", "−", "−")
        assert "Me 0.7 ✕" in panel.labels
        assert (await choices_of(database, ada)).loras == (LoraChoice(lora_id=lora_id, weight=0.7),)
        panel = await choose(ada, panel, *["−"] * 8)
        assert "Me 0.1 ✕" in panel.labels
        panel = await choose(ada, panel, "Me 0.1 ✕")
        assert await choices_of(database, ada) == Choices()

    async def test_three_fit_and_others_private_or_unfinished_ones_are_not_there(
        self, ada: Guest, database: Database
    ) -> None:
        await start(ada)
        me, other = await user_id_of(database, ada), await make_guest(database)
        for number in range(8):
            await make_lora(database, other, name=f"public {number}", is_public=True)
        await make_lora(database, other, name="private")
        await make_lora(database, me, name="unfinished", status="TRAINING")
        panel = await choose(ada, await open_settings(ada), "LoRAs:")
        assert panel.labels == [
            *(f"+ public {number}" for number in range(6)),
            "›",
            "🌍 All models",
            "‹ Back",
        ]
        panel = await choose(ada, panel, "›")
        assert panel.labels == ["+ public 6", "+ public 7", "‹", "🌍 All models", "‹ Back"]
        panel = await choose(ada, panel, "+ public 7", "+ public 0", "+ public 1")
        assert [each for each in panel.labels if "public" in each] == [
            "public 7 1.0 ✕",
            "public 0 1.0 ✕",
            "public 1 1.0 ✕",
        ]

    async def test_fees_of_others_stand_on_the_buttons_and_beside_the_price(
        self, ada: Guest, database: Database
    ) -> None:
        await start(ada)
        other = await make_guest(database)
        await make_lora(database, other, name="dear", is_public=True, fee_stars=5)
        hidden = await make_lora(database, other, name="hidden", is_public=True)
        async with database.transaction() as tx:
            await hide_model(tx, hidden, reason="stolen", operator="command:test")
        panel = await choose(ada, await open_settings(ada), "LoRAs:")
        assert panel.labels == ["+ dear · +5 ⭐", "🌍 All models", "‹ Back"]
        panel = await choose(ada, panel, "+ dear")
        assert "With fees for models of others: dear 0 ⭐." in panel.text
        panel = await choose(ada, panel, "‹ Back", "Pictures:", "4")
        assert "With fees for models of others: dear 5 ⭐." in panel.text
        assert "An order costs 17 stars" in panel.text

    async def test_all_models_are_a_press_away(self, ada: Guest, database: Database) -> None:
        await start(ada)
        await make_lora(database, await make_guest(database), name="Storybook", is_public=True)
        panel = await choose(ada, await open_settings(ada), "LoRAs:")
        await ada.press(panel, "🌍 All models")
        await ada.wait_for(lambda found: "1. Storybook" in found.text, after=panel)

    async def test_where_there_is_none_it_says_so(self, ada: Guest) -> None:
        await start(ada)
        panel = await choose(ada, await open_settings(ada), "LoRAs:")
        assert "There is none for Flux yet." in panel.text


class TestSeed:
    async def test_a_written_number_is_kept(self, ada: Guest, worker: Worker, database: Database) -> None:
        await start(ada)
        panel = await choose(ada, await open_settings(ada), "Seed:", "Write a number")
        assert "a whole number from 0 to 9223372036854775807" in panel.text
        await ada.say(" 9223372036854775807 ")
        await ada.wait_for(lambda message: "Seed: 9223372036854775807" in message.text)
        assert (await choices_of(database, ada)).seed == 2**63 - 1
        assert await worker.orders() == []

    @pytest.mark.parametrize(
        "nonsense", ["a red boat", "-1", "9223372036854775808", "1.5", "٣", "0x10", "1" * 30]
    )
    async def test_nonsense_is_refused_in_words_and_costs_nothing(
        self, ada: Guest, worker: Worker, database: Database, nonsense: str
    ) -> None:
        await start(ada)
        await choose(ada, await open_settings(ada), "Seed:", "Write a number")
        asked = await ada.say(nonsense)
        await answer_to(ada, asked, "A seed is a whole number from 0 to 9223372036854775807.")
        asked = await ada.say("7")
        await ada.wait_for(lambda message: "Seed: 7" in message.text)
        assert (await worker.orders(), await balance_of(database, ada)) == ([], 20)

    async def test_the_last_pictures_seed_can_be_kept_and_let_go(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        await start(ada)
        await ada.say("a red boat")
        await worker.wait_for_order()
        await worker.paint_all()
        seed = (await worker.orders())[0].seeds[0]
        panel = await choose(ada, await open_settings(ada), "Seed:", "As the last picture")
        assert (await choices_of(database, ada)).seed == seed
        await choose(ada, panel, "Seed:", "Random")
        assert (await choices_of(database, ada)).seed is None


class TestAdvanced:
    async def test_steps_and_guidance_stay_within_what_the_model_takes(
        self, ada: Guest, database: Database
    ) -> None:
        await start(ada)
        panel = await choose(ada, await open_settings(ada), "Model:", "Flux fast", "Advanced")
        for _ in range(20):
            await ada.press(await now(ada, panel), "+")
        assert (await choices_of(database, ada)).steps == 12
        panel = await choose(ada, panel, "Steps: 12")
        assert "Steps: 4" in panel.labels

    async def test_what_to_leave_out_is_written_and_taken_back(self, ada: Guest, database: Database) -> None:
        await start(ada)
        panel = await choose(ada, await open_settings(ada), "Advanced", "Leave something out")
        asked = await ada.say("n" * 501)
        await answer_to(ada, asked, "That is too long: at most 500 characters.")
        await ada.say("fog & <rain>")
        await ada.wait_for(lambda message: "Left out: fog & <rain>" in message.text)
        assert (await choices_of(database, ada)).negative == "fog & <rain>"
        panel = await choose(ada, panel, "Leave nothing out")
        assert "Nothing is left out." in panel.text

    async def test_a_model_that_cannot_leave_things_out_says_so(self, ada: Guest, database: Database) -> None:
        await execute(database, "UPDATE starbooth.offers SET negative_engines = '{}'")
        await start(ada)
        panel = await choose(ada, await open_settings(ada), "Advanced")
        assert "Flux takes no negative prompt here" in panel.text
        assert not any("Leave" in label for label in panel.labels)


class TestPresets:
    async def test_saved_chosen_saved_over_and_deleted(self, ada: Guest, database: Database) -> None:
        await start(ada)
        panel = await choose(ada, await open_settings(ada), "Pictures:", "3", "Presets", "Save what")
        await ada.say("three <b>")
        await ada.wait_for(lambda message: any("three <b>" in each for each in message.labels))
        panel = await choose(ada, panel, "Back", "Reset all", "Presets", "three <b>")
        assert "Pictures: 3" in panel.text
        panel = await choose(ada, panel, "Pictures:", "2", "Presets", "Save what")
        await ada.say("three <b>")
        await ada.wait_for(lambda message: any("three <b>" in each for each in message.labels))
        panel = await choose(ada, panel, "Back", "Reset all", "Presets", "three <b>")
        assert "Pictures: 2" in panel.text
        panel = await choose(ada, panel, "Presets", "🗑")
        assert not any("three" in each for each in panel.labels)

    async def test_a_name_that_is_none_is_asked_for_again(self, ada: Guest) -> None:
        await start(ada)
        await choose(ada, await open_settings(ada), "Presets", "Save what")
        asked = await ada.say("n" * 33)
        await answer_to(ada, asked, "A name has 1 to 32 characters.")

    async def test_one_that_was_deleted_meanwhile_is_told(self, ada: Guest, database: Database) -> None:
        await start(ada)
        panel = await choose(ada, await open_settings(ada), "Presets", "Save what")
        await ada.say("mine")
        await ada.wait_for(lambda message: "mine" in " ".join(message.labels))
        await execute(database, "DELETE FROM starbooth.presets")
        answer = await press(ada, panel, "mine")
        assert (answer["text"], answer["show_alert"]) == ("That preset is not there any more.", True)


class TestQuestions:
    async def test_a_command_calls_the_question_off(self, ada: Guest, worker: Worker) -> None:
        await start(ada)
        await choose(ada, await open_settings(ada), "Seed:", "Write a number")
        asked = await ada.say("/cancel")
        await answer_to(ada, asked, "Nothing is waiting")
        await ada.say("7")
        assert (await worker.orders_after_wait())[0].prompt == "7"

    async def test_so_does_any_other_button(self, ada: Guest, worker: Worker) -> None:
        await start(ada)
        panel = await choose(ada, await open_settings(ada), "Seed:", "Write a number", "Back")
        assert "The seed is the dice" in panel.text
        await ada.say("7")
        assert (await worker.orders_after_wait())[0].prompt == "7"


class TestPresses:
    async def test_ten_quick_presses_are_one(self, ada: Guest, database: Database) -> None:
        await start(ada)
        await make_lora(database, await user_id_of(database, ada), name="Me")
        panel = await choose(ada, await open_settings(ada), "LoRAs:", "+ Me")
        answers = await asyncio.gather(*(ada.press(panel, "+") for _ in range(10)))
        assert all(answer is not None for answer in answers)
        assert (await choices_of(database, ada)).loras[0].weight == 1.1

    async def test_an_old_panel_still_sets_what_it_says(self, ada: Guest, database: Database) -> None:
        await start(ada)
        old = await choose(ada, await open_settings(ada), "Pictures:")
        await choose(ada, await open_settings(ada), "Pictures:", "4")
        old = await choose(ada, old, "2")
        assert "Pictures: 2" in old.text
        assert (await choices_of(database, ada)).count == 2

    async def test_a_panel_that_was_deleted_comes_anew(self, ada: Guest, database: Database) -> None:
        await start(ada)
        await choose(ada, await open_settings(ada), "Seed:", "Write a number")
        panel = (await ada.messages())[-1]
        await ada.delete(panel)
        asked = await ada.say("7")
        fresh = await ada.wait_for(lambda message: "Seed: 7" in message.text, after=asked)
        assert fresh.labels
        assert (await choices_of(database, ada)).seed == 7

    async def test_the_switch_is_a_setting_of_its_own(
        self, make_guest: MakeGuest, database: Database
    ) -> None:
        eva = await make_guest("Eva", "es")
        await eva.say("/start")
        await eva.wait_for(lambda message: "Hola" in message.text)
        asked = await eva.say("/settings")
        panel = await eva.wait_for(lambda message: "Tus ajustes" in message.text, after=asked)
        await choose(eva, panel, "Preguntarme antes: no")
        await choose(eva, panel, "Restablecer todo")
        assert (await remembered(database, eva)).asks_first


class TestStaleChoices:
    async def test_an_order_is_refused_in_words_rather_than_painted_otherwise(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        await start(ada)
        await choose(ada, await open_settings(ada), "Model:", "Flux fast")
        fast_id = await base_model_id(database, "FLUX_FAST")
        async with database.transaction() as tx:
            await tx.execute(
                text("UPDATE starbooth.offers SET is_on = false WHERE base_model_id = :id"), {"id": fast_id}
            )
        asked = await ada.say("a red boat")
        await answer_to(ada, asked, "The model you chose is not on offer any more. /settings has the others.")
        assert (await worker.orders(), await balance_of(database, ada)) == ([], 20)
        panel = await open_settings(ada)
        assert "The model you chose is not on offer any more; now it is Flux." in panel.text
        await ada.say("a red boat")
        await worker.wait_for_order()

    async def test_again_under_a_picture_of_another_model_costs_what_that_model_costs(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        await start(ada)
        await choose(ada, await open_settings(ada), "Model:", "Flux fast")
        await ada.say("a red boat")
        await worker.wait_for_order()
        await worker.paint_all()
        picture = await ada.wait_for(lambda message: bool(message.photo_id))
        assert (await press(ada, picture, "Again · 1"))["text"] == "On its way: 1 star."
        assert await balance_of(database, ada) == 18
