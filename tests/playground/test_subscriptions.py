"""Subscriptions: the first month, the next ones, and all the ways in which there is no next one."""

import httpx
import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import SuccessfulPayment

from tests.playground.conftest import Served
from tests.playground.guest import Guest, Payment, Stars
from tests.playground.shop import PERIOD_S, make_subscription_link, pay, take_messages, take_updates


async def subscribe(playground: Served, bot: Bot, guest: Guest, *, amount_xtr: int = 50) -> str:
    """The charge id of a first payment, of which the bot has been told."""
    paid = await pay(playground, bot, guest, await make_subscription_link(bot, amount_xtr=amount_xtr))
    assert paid.status == "paid"
    await take_updates(playground, bot)
    return paid.charge_id


async def take_payment(playground: Served, bot: Bot) -> SuccessfulPayment:
    (message,) = await take_messages(playground, bot)
    assert message.successful_payment is not None
    return message.successful_payment


async def take_states(playground: Served, bot: Bot) -> list[str]:
    """The states that updates of subscriptions tell; no other update may wait."""
    updates = await take_updates(playground, bot)
    assert all(update.subscription for update in updates)
    return [update.subscription.state for update in updates if update.subscription]


class TestFirstMonth:
    async def test_the_payment_says_that_it_recurs_and_until_when(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        paid = await pay(playground, bot, ada, await make_subscription_link(bot))
        told = await take_payment(playground, bot)
        assert told.is_recurring is told.is_first_recurring is True
        assert told.telegram_payment_charge_id == paid.charge_id
        assert told.subscription_expiration_date == pytest.approx(playground.clock.now_s + PERIOD_S, abs=30)
        (row,) = (await bot.get_star_transactions()).transactions
        assert row.source is not None
        assert row.source.model_dump()["subscription_period"] == PERIOD_S

    async def test_it_lies_in_the_wallet(self, playground: Served, bot: Bot, ada: Guest) -> None:
        charge_id = await subscribe(playground, bot, ada)
        wallet = await ada.wallet()
        assert wallet.xtr == 950
        (subscription,) = wallet.subscriptions
        assert subscription.pop("expires_at") == pytest.approx(playground.clock.now_s + PERIOD_S, abs=30)
        assert subscription == {
            "charge_id": charge_id,
            "payload": "sub_1",
            "title": "A pack",
            "amount_xtr": 50,
            "period_s": PERIOD_S,
            "is_canceled": False,
            "is_canceled_by_bot": False,
            "is_failed": False,
        }

    async def test_two_guests_have_a_subscription_each(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        first = await subscribe(playground, bot, ada)
        async with Guest(playground.url, "Bob") as bob:
            second = await subscribe(playground, bot, bob)
            assert [each["charge_id"] for each in (await bob.wallet()).subscriptions] == [second]
            with pytest.raises(httpx.HTTPStatusError, match="404"):
                await bob.next_month(first)
        assert [each["charge_id"] for each in (await ada.wallet()).subscriptions] == [first]


class TestNextMonth:
    async def test_it_is_charged_again_under_a_new_charge_id(
        self, playground: Served, bot: Bot, ada: Guest, stars: Stars
    ) -> None:
        first = await subscribe(playground, bot, ada)
        (before,) = (await ada.wallet()).subscriptions
        second = await ada.next_month(first)
        assert second.status == "paid"
        assert second.charge_id not in ("", first)
        told = await take_payment(playground, bot)
        assert told.telegram_payment_charge_id == second.charge_id
        assert told.is_recurring is True
        assert told.is_first_recurring is None
        assert told.subscription_expiration_date == before["expires_at"] + PERIOD_S
        third = await ada.next_month(first)
        wallet = await ada.wallet()
        assert wallet.xtr == 850
        assert [each["expires_at"] for each in wallet.subscriptions] == [before["expires_at"] + 2 * PERIOD_S]
        rows = await stars.transactions()
        assert [row["id"] for row in rows] == [first, second.charge_id, third.charge_id]
        assert {row["source"]["subscription_period"] for row in rows} == {PERIOD_S}

    async def test_a_renewal_is_refunded_by_its_own_charge_id(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        first = await subscribe(playground, bot, ada)
        second = await ada.next_month(first)
        assert await bot.refund_star_payment(ada.user_id, second.charge_id)
        assert (await ada.wallet()).xtr == 950
        assert await bot.refund_star_payment(ada.user_id, first)
        assert (await ada.wallet()).xtr == 1000

    async def test_with_too_few_stars_it_fails_until_there_are_enough(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        first = await subscribe(playground, bot, ada, amount_xtr=600)
        (before,) = (await ada.wallet()).subscriptions
        assert await ada.next_month(first) == Payment("failed", "You have too few Stars.", "")
        assert await take_states(playground, bot) == ["failed"]
        (failed,) = (await ada.wallet()).subscriptions
        assert failed == {**before, "is_failed": True}
        await ada.add_xtr(200)
        assert (await ada.next_month(first)).status == "paid"
        (paid,) = (await ada.wallet()).subscriptions
        assert paid == {**before, "expires_at": before["expires_at"] + PERIOD_S}

    async def test_a_renewal_has_no_subscription_of_its_own(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        second = await ada.next_month(await subscribe(playground, bot, ada))
        assert len((await ada.wallet()).subscriptions) == 1
        with pytest.raises(httpx.HTTPStatusError, match="404"):
            await ada.next_month(second.charge_id)


class TestCancel:
    async def test_a_canceled_one_ends_without_a_payment(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        first = await subscribe(playground, bot, ada)
        await ada.cancel_subscription(first)
        assert await take_states(playground, bot) == ["canceled"]
        assert (await ada.wallet()).subscriptions[0]["is_canceled"] is True
        assert (await ada.next_month(first)).status == "cancelled"
        assert (await ada.wallet()).subscriptions == []
        assert (await ada.wallet()).xtr == 950
        assert await take_updates(playground, bot) == []
        for act in (ada.next_month, ada.cancel_subscription, ada.enable_subscription):
            with pytest.raises(httpx.HTTPStatusError, match="404"):
                await act(first)

    async def test_the_guest_can_take_it_back(self, playground: Served, bot: Bot, ada: Guest) -> None:
        first = await subscribe(playground, bot, ada)
        await ada.cancel_subscription(first)
        await ada.enable_subscription(first)
        assert await take_states(playground, bot) == ["canceled", "active"]
        assert (await ada.next_month(first)).status == "paid"

    async def test_doing_it_twice_tells_it_once(self, playground: Served, bot: Bot, ada: Guest) -> None:
        first = await subscribe(playground, bot, ada)
        await ada.enable_subscription(first)
        for _ in range(2):
            await ada.cancel_subscription(first)
        for _ in range(2):
            await ada.enable_subscription(first)
        assert await take_states(playground, bot) == ["canceled", "active"]

    async def test_the_update_names_guest_and_order(self, playground: Served, bot: Bot, ada: Guest) -> None:
        await ada.cancel_subscription(await subscribe(playground, bot, ada))
        (update,) = await take_updates(playground, bot)
        assert update.subscription is not None
        assert update.subscription.user.id == ada.user_id
        assert update.subscription.invoice_payload == "sub_1"


class TestByTheBot:
    async def test_what_the_bot_cancels_the_guest_cannot_enable(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        first = await subscribe(playground, bot, ada)
        assert await bot.edit_user_star_subscription(ada.user_id, first, is_canceled=True)
        assert await take_updates(playground, bot) == []
        (subscription,) = (await ada.wallet()).subscriptions
        assert subscription["is_canceled"] is subscription["is_canceled_by_bot"] is True
        with pytest.raises(httpx.HTTPStatusError, match=r"409.*the bot has canceled"):
            await ada.enable_subscription(first)
        assert (await ada.next_month(first)).status == "cancelled"

    async def test_the_bot_lets_the_guest_enable_it_again(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        first = await subscribe(playground, bot, ada)
        await bot.edit_user_star_subscription(ada.user_id, first, is_canceled=True)
        await bot.edit_user_star_subscription(ada.user_id, first, is_canceled=False)
        assert (await ada.wallet()).subscriptions[0]["is_canceled"] is True
        await ada.enable_subscription(first)
        assert await take_states(playground, bot) == ["active"]
        assert (await ada.next_month(first)).status == "paid"

    async def test_only_the_first_charge_of_its_guest_names_it(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        first = await subscribe(playground, bot, ada)
        second = await ada.next_month(first)
        async with Guest(playground.url, "Bob") as bob:
            wrong = (
                (bob.user_id, first, "CHARGE_NOT_FOUND"),
                (ada.user_id, second.charge_id, "CHARGE_NOT_FOUND"),
                (ada.user_id, "", "CHARGE_ID_EMPTY"),
                (999, first, "USER_ID_INVALID"),
                (0, first, "invalid user_id specified"),
            )
            for user_id, charge_id, complaint in wrong:
                with pytest.raises(TelegramBadRequest, match=f"Bad Request: {complaint}"):
                    await bot.edit_user_star_subscription(user_id, charge_id, is_canceled=True)
        assert (await ada.wallet()).subscriptions[0]["is_canceled"] is False
