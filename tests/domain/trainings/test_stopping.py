"""A training that its guest ends early, and what is left beside it."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from starbooth.domain.generations.costs import read_costs
from starbooth.domain.models.own import delete_model
from starbooth.domain.orders import cart
from starbooth.domain.orders.cart import Wish
from starbooth.domain.orders.end import OrderState
from starbooth.domain.orders.errors import NoSuchOrder
from starbooth.domain.orders.read import newest_active, newest_picture
from starbooth.domain.orders.statement import read_newest
from starbooth.domain.privacy.holdings import read_named
from starbooth.domain.running.buying import start_orders
from starbooth.domain.stars.tables import TransactionType
from starbooth.domain.trainings.errors import TooLateToStop
from starbooth.domain.trainings.stop import ask_to_stop
from starbooth.outside.engine.contract import (
    EngineRefused,
    RunFailed,
    TicketLost,
    Waiting,
)
from tests.make.audits import assert_accounts_are_true
from tests.make.guests import make_guest
from tests.make.orders import place_pictures
from tests.make.training_scene import FUNDS, PRICE, Scene
from tests.make.trainings import (
    make_sample,
    make_weights,
    read_rows,
)


class TestStopping:
    async def test_one_that_waits_is_cancelled_and_costs_nothing(self, waiting: Scene) -> None:
        assert await waiting.stop() is False
        view = await waiting.view()
        assert (view.state, view.spent_stars) == (OrderState.CANCELLED, 0)
        rows = await read_rows(waiting.database, waiting.order_id)
        assert (rows.lora["status"], rows.training["status"]) == ("FAILED", "FAILED")
        assert rows.training["error"] == "cancelled"
        assert await waiting.stars() == FUNDS

    async def test_what_ran_is_paid_and_the_lora_is_kept(self, running: Scene) -> None:
        running.engine.train(0, 55)
        await running.look()
        assert await running.stop() is True
        assert (await running.view()).is_stop_asked
        await running.look(later=0)
        assert running.engine.stopped == ["memory-0"]
        running.engine.finish_training(0, make_weights(), steps_ran=57)
        await running.look()
        view = await running.view()
        assert (view.state, view.step, view.spent_stars) == (OrderState.DONE, 57, PRICE * 57 // 100)
        rows = await read_rows(running.database, running.order_id)
        assert (rows.lora["status"], rows.training["starsSpent"]) == ("COMPLETED", PRICE * 57 // 100)
        assert rows.training["metadata"]["steps_ran"] == 57
        assert await running.stars() == FUNDS - PRICE * 57 // 100
        await assert_accounts_are_true(running.database)

    async def test_an_engine_that_can_only_cancel_leaves_nothing_and_what_ran_is_paid(
        self, running: Scene
    ) -> None:
        running.engine.train(0, 55)
        await running.look()
        await running.stop()
        running.engine.refuse(0, EngineRefused("cancelled"))
        await running.look(later=0)
        view = await running.view()
        assert (view.state, view.error_code) == (OrderState.CANCELLED, "stopped")
        assert view.spent_stars == PRICE * 55 // 100
        rows = await read_rows(running.database, running.order_id)
        assert (rows.lora["status"], rows.training["status"]) == ("FAILED", "FAILED")
        assert rows.training["metadata"]["steps_ran"] == 55
        assert running.other.purchases == []
        assert await running.stars() == FUNDS - PRICE * 55 // 100
        await assert_accounts_are_true(running.database)

    @pytest.mark.parametrize("end", [RunFailed("runner_disconnected"), TicketLost()])
    async def test_what_was_stopped_is_not_bought_again_after_an_accident(
        self, running: Scene, end: Exception
    ) -> None:
        running.engine.train(0, 55)
        await running.look()
        await running.stop()
        running.engine.next_statuses.append(end)
        await running.look(later=0)
        view = await running.view()
        assert (view.state, view.error_code) == (OrderState.CANCELLED, "stopped")
        assert len(running.engine.purchases) + len(running.other.purchases) == 1

    async def test_one_in_the_engines_queue_is_taken_out_of_it_and_costs_nothing(
        self, running: Scene
    ) -> None:
        assert isinstance(running.engine._states["memory-0"], Waiting)
        await running.stop()
        await running.look(later=0)
        assert (running.engine.cancelled, running.engine.stopped) == (["memory-0"], [])
        running.engine.refuse(0, EngineRefused("cancelled"))
        await running.look()
        view = await running.view()
        assert (view.state, view.spent_stars) == (OrderState.CANCELLED, 0)
        assert await running.stars() == FUNDS

    async def test_an_engine_that_finished_nevertheless_is_paid_what_it_had_told(
        self, running: Scene
    ) -> None:
        running.engine.train(0, 55)
        await running.look()
        await running.stop()
        running.engine.finish_training(0, make_weights())
        await running.look(later=0)
        view = await running.view()
        assert (view.state, view.spent_stars) == (OrderState.DONE, PRICE * 55 // 100)

    async def test_a_lora_of_no_step_is_none(self, running: Scene) -> None:
        await running.stop()
        running.engine.finish_training(0, make_weights(), steps_ran=0)
        await running.look(later=0)
        view = await running.view()
        assert (view.state, view.spent_stars) == (OrderState.CANCELLED, 0)
        assert await running.tidy() == []

    async def test_pressing_twice_is_pressing_once(self, running: Scene) -> None:
        running.engine.train(0, 55)
        assert await running.stop()
        assert await running.stop()
        await running.look(later=0)
        running.engine.finish_training(0, make_weights(), steps_ran=56)
        await running.look()
        with pytest.raises(TooLateToStop):
            await running.stop()

    async def test_somebody_elses_and_pictures_are_not_there(self, running: Scene) -> None:
        stranger = await make_guest(running.database, stars=100)
        pictures = await place_pictures(running.database, stranger)
        for order_id in (running.order_id, pictures.order_id, "nothing"):
            with pytest.raises(NoSuchOrder):
                async with running.database.transaction() as tx:
                    await ask_to_stop(tx, order_id=order_id, user_id=stranger)
        assert not (await running.view()).is_stop_asked

    async def test_the_view_knows_who_hands_out_a_lora(self, running: Scene) -> None:
        assert (await running.view()).keeps_lora_if_stopped
        async with running.database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.tickets SET engine = 'fal'"))
        assert not (await running.view()).keeps_lora_if_stopped


class TestAModelThatIsDeleted:
    async def test_leaves_no_file_that_anything_names(self, running: Scene) -> None:
        running.engine.train(0, 90, preview=make_sample())
        await running.look()
        running.engine.finish_training(0, make_weights())
        await running.look()
        view = await running.view()
        async with running.database.transaction() as tx:
            await delete_model(tx, view.lora_id, user_id=running.guest)
        assert await running.tidy() == []
        async with running.database.transaction() as tx:
            assert [each async for each in read_named(tx)] == []
        after = await running.view()
        assert (after.name, after.sample_key, after.may_try_again) == ("Clay", None, False)


class TestBesidePictures:
    async def test_a_finished_training_is_no_newest_picture(self, running: Scene) -> None:
        running.engine.finish_training(0, make_weights())
        await running.look()
        async with running.database.transaction() as tx:
            assert await newest_picture(tx, user_id=running.guest) is None

    async def test_cancelling_means_a_picture_as_long_as_there_is_one(self, running: Scene) -> None:
        async with running.database.transaction() as tx:
            assert await newest_active(tx, user_id=running.guest) == running.order_id
        pictures = await place_pictures(running.database, running.guest)
        async with running.database.transaction() as tx:
            assert await newest_active(tx, user_id=running.guest) == pictures.order_id

    async def test_a_statement_calls_it_by_its_models_name(self, running: Scene) -> None:
        async with running.database.transaction() as tx:
            page = await read_newest(tx, user_id=running.guest, limit=5)
        [entry] = [each for each in page.entries if each.kind is TransactionType.TRAINING]
        assert (entry.prompt, entry.amount) == ("Clay", -PRICE)

    async def test_a_cart_of_pictures_does_not_wait_for_trainings(self, running: Scene) -> None:
        wish = Wish(request_key="w", user_id=running.guest, request={}, price_stars=1)
        async with running.database.transaction() as tx:
            await cart.remember(tx, wish, life=timedelta(hours=1))
            await cart.fund(tx, running.guest)
            assert await cart.find_ready(tx, active_limit=1, limit=5) == [running.guest]


class TestCosts:
    async def test_trainings_have_lines_of_their_own_and_what_was_stopped_is_income(
        self, running: Scene
    ) -> None:
        running.engine.train(0, 50)
        await running.look()
        await running.stop()
        running.engine.refuse(0, EngineRefused("cancelled"))
        await running.look(later=0)
        await place_pictures(running.database, running.guest)
        await start_orders(running.database, running.outside)
        running.engine.finish(1)
        await running.look()
        async with running.database.transaction() as tx:
            lines = await read_costs(tx, age=timedelta(days=1))
        assert [(line.model, line.made, line.failed, line.stars) for line in lines] == [
            ("Flux", 1, 0, Decimal(3)),
            ("training: STYLE", 0, 1, Decimal(PRICE // 2)),
        ]
