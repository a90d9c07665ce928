"""Nobody is charged for nothing and nothing paid for is lost, while every process is killed again and again.

One run of about two minutes with real processes; each test looks at one side of what is left.
"""

import asyncio
import io
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from starbooth.domain.generations.craft import thumbnail_key
from tests.chaos.aftermath import GUESTS, ORDERS_EACH, WELCOME_STARS, Aftermath, torment_a_house

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]

SEED = 7


@pytest.fixture(scope="module")
def aftermath() -> Iterator[Aftermath]:
    """What is left of a house after the torment. Its folder is deleted after the last test."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.chmod(0o755)
    try:
        yield asyncio.run(torment_a_house(folder, seed=SEED))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class TestTorment:
    def test_worker_and_engine_were_killed_again_and_again(self, aftermath: Aftermath) -> None:
        assert aftermath.kills["worker-1"] + aftermath.kills["worker-2"] >= 10
        assert aftermath.kills["engine"] >= 5
        assert aftermath.kills["postgresql"] == 2

    def test_nobody_fell_over_without_being_killed(self, aftermath: Aftermath) -> None:
        assert not aftermath.fallen, aftermath.last_words


class TestOrders:
    def test_everything_came_to_its_end_in_time(self, aftermath: Aftermath) -> None:
        states = Counter(order["state"] for order in aftermath.orders)
        assert aftermath.is_settled, f"{states}\n{aftermath.last_words}"

    def test_every_prompt_became_exactly_one_order(self, aftermath: Aftermath) -> None:
        asked = Counter((chat.guest_id, prompt) for chat in aftermath.chats for prompt in chat.prompts)
        ordered = Counter((order["chat_id"], order["prompt"]) for order in aftermath.orders)
        assert len(asked) == GUESTS * ORDERS_EACH
        assert ordered == asked

    def test_every_order_brought_its_picture(self, aftermath: Aftermath) -> None:
        failed = [
            (order["id"], order["state"], order["error_code"], order["error_detail"])
            for order in aftermath.orders
            if order["state"] != "done"
        ]
        assert not failed, aftermath.last_words


class TestPictures:
    def test_every_ticket_has_exactly_one_generation(self, aftermath: Aftermath) -> None:
        tickets = [(ticket["order_id"], ticket["number"]) for ticket in aftermath.tickets]
        pictures = [(row["order_id"], row["number"]) for row in aftermath.generations]
        assert sorted(pictures) == sorted(tickets)

    def test_storage_holds_exactly_the_pictures_of_the_tickets_and_their_thumbnails(
        self, aftermath: Aftermath
    ) -> None:
        pictures = {ticket["file_key"] for ticket in aftermath.tickets}
        thumbnails = {thumbnail_key(ticket["order_id"], ticket["number"]) for ticket in aftermath.tickets}
        assert sorted(aftermath.files) == sorted(pictures | thumbnails)

    def test_every_stored_picture_decodes(self, aftermath: Aftermath) -> None:
        for key, body in aftermath.files.items():
            with Image.open(io.BytesIO(body)) as picture:
                picture.load()
                assert picture.size >= (1, 1), key

    def test_every_chat_shows_each_picture_exactly_once(self, aftermath: Aftermath) -> None:
        shown = sorted((chat.guest_id, message_id) for chat in aftermath.chats for message_id in chat.photos)
        delivered = sorted((each["chat_id"], each["message_id"]) for each in aftermath.deliveries)
        assert {each["state"] for each in aftermath.deliveries} == {"delivered"}
        assert len(delivered) == len(aftermath.orders)
        assert shown == delivered

    def test_the_chat_shows_the_picture_of_the_right_order(self, aftermath: Aftermath) -> None:
        files = {ticket["order_id"]: aftermath.files[ticket["file_key"]] for ticket in aftermath.tickets}
        photos = {message_id: photo for chat in aftermath.chats for message_id, photo in chat.photos.items()}
        for each in aftermath.deliveries:
            painted, shown = _colour(files[each["order_id"]]), _colour(photos[each["message_id"]])
            assert all(abs(a - b) <= 4 for a, b in zip(painted, shown, strict=True)), each["order_id"]


class TestStars:
    def test_the_audit_finds_nothing(self, aftermath: Aftermath) -> None:
        code, said = aftermath.audit
        assert code == 0, said
        assert "every star is accounted for" in said

    def test_guests_paid_for_delivered_pictures_and_nothing_else(self, aftermath: Aftermath) -> None:
        paid = {user["id"]: WELCOME_STARS - user["stars"] for user in aftermath.users}
        used: Counter[str] = Counter()
        for row in aftermath.generations:
            used[row["userId"]] += row["starsUsed"]
        assert paid == dict(used)
        assert paid == {user["id"]: user["totalSpentStars"] for user in aftermath.users}
        assert sum(paid.values()) == sum(order["spent_stars"] for order in aftermath.orders)

    def test_everybody_was_welcomed_once(self, aftermath: Aftermath) -> None:
        welcomed = Counter(row["userId"] for row in aftermath.bonuses)
        assert welcomed == Counter(user["id"] for user in aftermath.users)
        assert {row["amount"] for row in aftermath.bonuses} == {WELCOME_STARS}


class TestEngine:
    def test_nothing_was_bought_twice(self, aftermath: Aftermath) -> None:
        request_ids = {ticket["request_id"] for ticket in aftermath.tickets}
        assert None not in request_ids
        assert len(request_ids) == len(aftermath.tickets) == len(aftermath.orders)
        assert aftermath.engine["accepted"] == len(request_ids)
        assert aftermath.engine["runs"] == len(request_ids)


def _colour(body: bytes) -> tuple[int, ...]:
    """The colour of a picture of one colour, as the instant painter makes them."""
    with Image.open(io.BytesIO(body)) as picture:
        middle = picture.convert("RGB").getpixel((picture.width // 2, picture.height // 2))
    assert isinstance(middle, tuple)
    return tuple(int(part) for part in middle)
