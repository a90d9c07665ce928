"""Several pictures at once, as a guest sees them: an album above, the words and the buttons below."""

import pytest

from starbooth.base.database import Database
from tests.doors.bot.chat import balance_of, start
from tests.doors.bot.conftest import MakeGuest
from tests.doors.bot.panels import choose, open_settings
from tests.doors.bot.worker import Worker
from tests.make.orders import let_pass
from tests.playground.guest import Guest, Message

pytestmark = pytest.mark.usefixtures("at_work")


async def order_three(guest: Guest, worker: Worker) -> tuple[str, Message]:
    """Ask for three pictures; returns the order and the guest's message."""
    await start(guest)
    await choose(guest, await open_settings(guest), "Pictures:", "3")
    asked = await guest.say("a red boat")
    order_id = await worker.wait_for_order()
    await worker.show()
    return order_id, asked


async def said_since(guest: Guest, asked: Message) -> list[Message]:
    return [each for each in await guest.messages() if each.message_id > asked.message_id]


class TestAlbums:
    async def test_three_pictures_appear_one_after_another_and_what_failed_is_refunded(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        order_id, asked = await order_three(ada, worker)
        *tiles, words = await said_since(ada, asked)
        assert len({each.raw["media_group_id"] for each in tiles}) == 1
        assert [bool(each.photo_id) for each in tiles] == [True, True, True]
        assert (words.text.splitlines()[0], words.labels) == ("⏳ You are next.", ["Cancel"])
        await worker.start()
        await worker.paint(order_id, 1)
        await worker.show()
        *half, words = await said_since(ada, asked)
        changed = [now.photo_id != before.photo_id for now, before in zip(half, tiles, strict=True)]
        assert changed == [False, True, False]
        assert "1 of 3 are there." in words.text
        await worker.paint(order_id, 0)
        await worker.paint(order_id, 2, error_code="content_policy_violation")
        await worker.show()
        first, second, words = await said_since(ada, asked)
        assert first.text.startswith("1 of 3 · seed ")
        assert second.raw["media_group_id"] == first.raw["media_group_id"]
        assert "6 stars · " in words.text
        assert "1 picture did not come out; 3 stars came back to you. The painter's rules" in words.text
        assert words.labels[0] == "Again · 9 ⭐"
        assert await balance_of(database, ada) == 14

    async def test_cancelling_takes_the_tiles_away(self, ada: Guest, worker: Worker) -> None:
        _, asked = await order_three(ada, worker)
        words = (await said_since(ada, asked))[-1]
        await ada.press(words, "Cancel")
        await worker.show()
        [left] = await said_since(ada, asked)
        assert left.text.startswith("Cancelled. All 9 stars are back with you.")

    async def test_telegram_asking_for_patience_in_the_middle_only_takes_longer(
        self, ada: Guest, worker: Worker, database: Database
    ) -> None:
        order_id, asked = await order_three(ada, worker)
        await worker.start()
        await worker.paint(order_id, 0)
        await worker.show()
        await ada.add_fault("too_many_requests", method="editMessageMedia", count=1)
        for number in (1, 2):
            await worker.paint(order_id, number)
        await worker.show()
        captions = [each.text.split(" · ")[0] for each in (await said_since(ada, asked))[:3]]
        assert captions == ["1 of 3", "", ""]
        await let_pass(database, 70)
        await worker.show()
        messages = await said_since(ada, asked)
        assert [each.text.split(" · ")[0] for each in messages[:3]] == ["1 of 3", "2 of 3", "3 of 3"]
        assert len(messages) == 4

    async def test_in_spanish_and_russian(self, make_guest: MakeGuest, worker: Worker) -> None:
        eva = await make_guest("Eva", "es")
        await eva.say("/start")
        await eva.wait_for(lambda message: "Hola" in message.text)
        panel = await eva.wait_for(lambda message: bool(message.labels), after=await eva.say("/settings"))
        await choose(eva, panel, "Imágenes:", "2")
        asked = await eva.say("un barco rojo")
        order_id = await worker.wait_for_order()
        await worker.show()
        await worker.start()
        for number in range(2):
            await worker.paint(order_id, number)
        await worker.show()
        first, _, words = await said_since(eva, asked)
        assert first.text.startswith("1 de 2 · semilla ")
        assert words.text.endswith("6 estrellas · Flux")
