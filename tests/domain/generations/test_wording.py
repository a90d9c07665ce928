"""What each picture of an order is painted from, and what its recipe tells of it."""

from datetime import timedelta

import pytest

from starbooth.base.database import Database, sql
from starbooth.domain.generations.choices import Choices, LoraChoice
from starbooth.domain.generations.errors import PromptEmpty, PromptTooLong, TooManyOptions
from starbooth.domain.generations.request import LONGEST_PROMPT, Limits, PictureRequest, request_pictures
from starbooth.domain.generations.wording import MOST_OPTIONS, read_options, with_triggers
from starbooth.domain.orders.place import Source
from starbooth.domain.prompts.errors import PromptRefused
from starbooth.domain.prompts.expand import parse
from starbooth.domain.running.buying import start_orders
from starbooth.domain.running.sweep import sweep
from tests.make.engine import MemoryEngine
from tests.make.guests import make_guest, read_stars
from tests.make.loras import make_lora
from tests.make.orders import let_pass, make_outside, place_pictures, read_pictures
from tests.make.pictures import make_picture

DRAWN = "a <random:red|blue> __animal__ on a <random:boat|<random:horse|bicycle>>"


async def paint(database: Database, engine: MemoryEngine, order_id: str, *, pictures: int) -> None:
    """Have the order painted to its end."""
    outside = make_outside(engine)
    assert await start_orders(database, outside) == 1
    for number in range(pictures):
        engine.finish(number, make_picture())
    await let_pass(database, 70)
    await sweep(database, outside)


class TestOrders:
    async def test_each_picture_has_words_of_its_own_that_its_recipe_tells(self, database: Database) -> None:
        guest = await make_guest(database, stars=20)
        placed = await place_pictures(database, guest, pictures=4, prompt=DRAWN, seed=100)
        engine = MemoryEngine()
        await paint(database, engine, placed.order_id, pictures=4)
        wanted = [parse(DRAWN).draw(seed) for seed in range(100, 104)]
        assert len(set(wanted)) > 1
        assert sorted(each.order.prompt for each in engine.purchases) == sorted(wanted)
        assert {each.order.seed: each.order.prompt for each in engine.purchases} == dict(
            zip(range(100, 104), wanted, strict=True)
        )
        pictures = await read_pictures(database, placed.order_id)
        assert [each["metadata"]["words"] for each in pictures] == wanted
        assert {each["prompt"] for each in pictures} == {DRAWN}

    async def test_the_same_seed_paints_the_same_words_again(self, database: Database) -> None:
        guest = await make_guest(database, stars=20)
        engine = MemoryEngine()
        for number in range(2):
            await place_pictures(database, guest, prompt=DRAWN, seed=5)
            assert await start_orders(database, make_outside(engine)) == 1, number
        first, second = engine.purchases
        assert first.order.prompt == second.order.prompt == parse(DRAWN).draw(5)

    async def test_plain_words_go_as_they_are_and_the_recipe_does_not_repeat_them(
        self, database: Database
    ) -> None:
        guest = await make_guest(database, stars=20)
        placed = await place_pictures(database, guest, prompt="a | b > c, snake__case__ \\o/")
        engine = MemoryEngine()
        await paint(database, engine, placed.order_id, pictures=1)
        assert engine.purchases[0].order.prompt == "a | b > c, snake__case__ \\o/"
        (picture,) = await read_pictures(database, placed.order_id)
        assert "words" not in picture["metadata"]

    async def test_a_trigger_word_is_put_in_where_it_is_missing(self, database: Database) -> None:
        guest = await make_guest(database, stars=20)
        lora = await make_lora(database, guest, trigger_word="Zorb")
        limits = Limits(active_orders=5, deadline=timedelta(minutes=5))
        for number, prompt in enumerate(("a zorbing man", "a man like zorb, smiling")):
            ask = PictureRequest(
                request_key=f"lora:{number}",
                user_id=guest,
                source=Source.BOT,
                prompt=prompt,
                choices=Choices(loras=(LoraChoice(lora_id=lora),)),
            )
            async with database.transaction() as tx:
                await request_pictures(tx, ask, limits=limits, recipient=None)
        async with database.transaction() as tx:
            rows = await tx.execute(
                sql("SELECT request -> 'frozen' ->> 'words' FROM starbooth.orders ORDER BY request_key")
            )
            assert list(rows.scalars()) == ["Zorb, a zorbing man", None]


class TestRefusals:
    @pytest.mark.parametrize(
        "prompt",
        [
            "a <random:fox|lolicon>",
            "a <random:fox|<random:hare|l.o.l.i.c.o.n>>",
            "a <random:loli|fox>con",
            "<random:naked|dressed> people, <random:men|children>",
        ],
    )
    @pytest.mark.parametrize("seed", [1, 2, 3])
    async def test_an_option_that_is_not_allowed_refuses_the_prompt_whatever_is_drawn(
        self, database: Database, prompt: str, seed: int
    ) -> None:
        guest = await make_guest(database, stars=20)
        with pytest.raises(PromptRefused):
            await place_pictures(database, guest, prompt=prompt, seed=seed)
        assert await read_stars(database, guest) == (20, 0, 0)

    async def test_what_only_two_groups_say_together_is_refused_when_it_is_drawn(
        self, database: Database
    ) -> None:
        guest = await make_guest(database, stars=20)
        prompt = "a <random:x|loli><random:con|y>"
        drawn = {seed: parse(prompt).draw(seed) for seed in range(20)}
        bad = next(seed for seed, words in drawn.items() if words == "a lolicon")
        good = next(seed for seed, words in drawn.items() if words == "a xy")
        await place_pictures(database, guest, prompt=prompt, seed=good)
        with pytest.raises(PromptRefused):
            await place_pictures(database, guest, prompt=prompt, seed=bad)

    async def test_a_trigger_word_does_not_smuggle_anything_in(self, database: Database) -> None:
        guest = await make_guest(database, stars=20)
        lora = await make_lora(database, guest, trigger_word="lolicon")
        ask = PictureRequest(
            request_key="lora",
            user_id=guest,
            source=Source.BOT,
            prompt="a fox",
            choices=Choices(loras=(LoraChoice(lora_id=lora),)),
        )
        with pytest.raises(PromptRefused):
            async with database.transaction() as tx:
                limits = Limits(active_orders=5, deadline=timedelta(minutes=5))
                await request_pictures(tx, ask, limits=limits, recipient=None)

    @pytest.mark.parametrize(
        ("prompt", "refusal"),
        [
            ("<random:|a fox>", PromptEmpty),
            ("<random:!|a fox> ?", PromptEmpty),
            ("x" * (LONGEST_PROMPT - 10) + " __light__", PromptTooLong),
            ("<random:" + "|".join(["a"] * (MOST_OPTIONS + 1)) + ">", TooManyOptions),
        ],
    )
    def test_what_could_come_out_unfit_is_refused_before_anything_is_drawn(
        self, prompt: str, refusal: type[Exception]
    ) -> None:
        with pytest.raises(refusal):
            read_options(prompt, limit=LONGEST_PROMPT)

    def test_what_fits_is_not(self) -> None:
        read_options("<random:|a> fox", limit=LONGEST_PROMPT)
        read_options("<random:" + "|".join(["a"] * MOST_OPTIONS) + ">", limit=LONGEST_PROMPT)
        assert read_options("x" * 1990 + " __light__", limit=3000).longest <= 2008


class TestTriggers:
    @pytest.mark.parametrize(
        ("prompt", "triggers", "painted"),
        [
            ("a fox", ["sks"], "sks, a fox"),
            ("a SKS fox", ["sks"], "a SKS fox"),
            ("a fox (sks)", ["sks"], "a fox (sks)"),
            ("tasksforce", ["sks"], "sks, tasksforce"),
            ("a fox", ["", " ", "sks", "sks", "b.w"], "sks, b.w, a fox"),
            ("a baw fox", ["b.w"], "b.w, a baw fox"),
            ("НАТАША в саду", ["наташа"], "НАТАША в саду"),
        ],
    )
    def test_they_stand_in_front_once(self, prompt: str, triggers: list[str], painted: str) -> None:
        assert with_triggers(prompt, triggers) == painted
