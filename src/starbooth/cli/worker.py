"""The worker process: jobs as they come, and the timers that find what no job did."""

# First of all imports: it halves what aiogram costs, and only if nothing has imported aiogram before.
from starbooth.outside.telegram import lean  # noqa: F401

# isort: split
import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starbooth.base import jobs
from starbooth.base.database import Tx
from starbooth.base.errors import Unavailable
from starbooth.base.settings import Settings
from starbooth.cli.group import stop_on_signals
from starbooth.cli.painting import opened_engines, outside_of
from starbooth.cli.privacy_timers import privacy_timers
from starbooth.cli.sweeps import money_timers
from starbooth.cli.wiring import Booth, limits_of, open_booth, training_limits_of
from starbooth.domain.catalog.engines import seed_engines
from starbooth.domain.catalog.offers import Offer
from starbooth.domain.delivery.owe import SHOW
from starbooth.domain.delivery.show import Look, Looker, Showing, find_news, show
from starbooth.domain.gallery.galleries import forget_old_galleries
from starbooth.domain.gallery.pictures import delete_doomed_files
from starbooth.domain.generations.cart import Placers, start_funded, sweep_carts
from starbooth.domain.generations.photos import delete_old_photos
from starbooth.domain.generations.quote import read_fees_of, read_offer_of
from starbooth.domain.orders.cart import STARS_ARRIVED, Wish
from starbooth.domain.orders.end import OrderState
from starbooth.domain.orders.place import OrderKind, PlacedOrder
from starbooth.domain.orders.read import OrderView, read_order
from starbooth.domain.payments.purchases import close_expired
from starbooth.domain.running.buying import START, Started, buy_tickets, claim_orders
from starbooth.domain.running.outside import Outside
from starbooth.domain.running.run import COLLECT, collect
from starbooth.domain.running.sweep import end_overdue, stop_abandoned, sweep
from starbooth.domain.studio.drafts import forget_old_drafts
from starbooth.domain.studio.first_pictures import order_first_pictures
from starbooth.domain.trainings.cart import place_training_wish
from starbooth.domain.trainings.read import read_training
from starbooth.domain.trainings.zips import take_back_zips
from starbooth.domain.users.guests import Language
from starbooth.doors.bot.inbox import forget_old_updates
from starbooth.doors.bot.messenger import BotMessenger
from starbooth.doors.bot.screens import render_order
from starbooth.doors.bot.training_screens import render_training
from starbooth.outside.engine.client import result_from_payload
from starbooth.outside.telegram.client import opened_bot

_JOBS_AT_ONCE = 100
_NEWS_AT_ONCE = 10  # per second; Telegram takes about thirty calls, and most of them are for pictures
_CLOSED_AT_ONCE = 1000
_PHOTOS_AT_ONCE = 100
_FILES_AT_ONCE = 100
_KEEP_JOB_LOG_HOURS = 24
# A price below a picture may be so old: who presses is asked again where it is another one by then.
_OFFERS_FRESH_S = 1.0


async def run_worker_process(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; jobs under way are finished first."""
    await run_worker(settings, stop=stop_on_signals())


async def run_worker(settings: Settings, *, stop: asyncio.Event) -> None:
    """Work until `stop` is set, then let what is under way end. Start as many of these as wanted."""
    async with contextlib.AsyncExitStack() as stack:
        booth = await stack.enter_async_context(open_booth(settings, connections=16))
        engines = await stack.enter_async_context(opened_engines(settings))
        bot = await stack.enter_async_context(opened_bot(settings.token, settings.telegram_api))
        outside = outside_of(booth, engines)

        async def write_down_engines() -> None:
            async with booth.database.transaction() as tx:
                await seed_engines(tx, list(engines), slots=settings.engine_slots)

        await jobs.once(write_down_engines, stop=stop)
        showing = Showing(
            messenger=BotMessenger(bot),
            storage=booth.storage,
            look=_looker(outside),
        )
        desk = _Desk(booth, outside, showing)
        await asyncio.gather(
            jobs.run_jobs(
                booth.database,
                _handlers(desk),
                stop=stop,
                concurrency=_JOBS_AT_ONCE,
            ),
            *_timers(booth, desk, stop),
            *money_timers(booth.database, booth.settings, bot, stop=stop),
            *privacy_timers(booth, bot, stop=stop),
        )


def _looker(outside: Outside) -> Looker:
    known: dict[str, tuple[float, Offer | None]] = {}

    async def offer_of(tx: Tx, view: OrderView) -> Offer | None:
        model = view.request["frozen"]["base_model_id"]
        read_at, offer = known.get(model, (float("-inf"), None))
        if time.monotonic() - read_at >= _OFFERS_FRESH_S:
            offer = await read_offer_of(tx, view)
            known[model] = time.monotonic(), offer
        return offer

    async def look(tx: Tx, order_id: str, language: Language, *, is_shared: bool) -> Look | None:
        router = outside.router
        view = await read_order(tx, order_id, slots=router.slots, training_slots=router.training_slots)
        if view is None:
            return None
        if view.kind is OrderKind.TRAINING:
            return await _look_at_training(tx, view, language)
        offer = await offer_of(tx, view) if view.state is OrderState.DONE else None
        fees = await read_fees_of(tx, view) if view.state is OrderState.DONE else ()
        screen = render_order(view, language, offer=offer, fees=fees, is_shared=is_shared)
        return Look(screen=screen, is_final=view.has_ended)

    return look


async def _look_at_training(tx: Tx, view: OrderView, language: Language) -> Look | None:
    training = await read_training(tx, view.order_id)
    if training is None:
        return None
    return Look(screen=render_training(view, training, language), is_final=view.has_ended)


def _placers(settings: Settings) -> Placers:
    limits = training_limits_of(settings)

    async def place_training(tx: Tx, wish: Wish) -> PlacedOrder:
        return await place_training_wish(tx, wish, limits=limits)

    return {OrderKind.TRAINING.value: place_training}


class _Desk:
    """The steps that jobs and timers ask for, and what follows an end here and now rather than by a job."""

    def __init__(self, booth: Booth, outside: Outside, showing: Showing) -> None:
        self.database = booth.database
        self.limits = limits_of(booth.settings)
        self.placers = _placers(booth.settings)
        self.outside = replace(outside, on_ended=self._note_ended)
        self._showing = showing
        self._ended: list[str] = []
        self._started: list[Started] = []
        self._claiming = jobs.Gathered(self._claim)

    def _note_ended(self, order_id: str) -> None:
        self._ended.append(order_id)

    async def show(self, *order_ids: str) -> None:
        """Show what is owed of these orders."""
        await asyncio.gather(*(show(self.database, self._showing, order_id) for order_id in order_ids))

    async def start(self) -> None:
        """Start what may start; many who ask at once share one look at the line."""
        await self._claiming.run()
        started, self._started = self._started, []
        await buy_tickets(self.database, self.outside, started)

    async def _claim(self) -> None:
        self._started += await claim_orders(self.database, self.outside)

    async def follow_up(self) -> None:
        """Show the orders that ended in this process, and use the slots that they left."""
        if self._ended:
            ended, self._ended = self._ended, []
            await asyncio.gather(self.show(*ended), self.start())


def _handlers(desk: _Desk) -> Mapping[str, jobs.Handler]:
    async def on_start(facts: Mapping[str, Any]) -> None:
        await asyncio.gather(desk.show(facts["order"]), desk.start())
        await desk.follow_up()

    async def on_collect(facts: Mapping[str, Any]) -> None:
        payload = facts["payload"]
        try:
            result = None if payload is None else result_from_payload(payload)
        except Unavailable:
            result = None  # a payload we cannot read: the engine is asked for it instead
        await collect(
            desk.database,
            desk.outside,
            order_id=facts["order"],
            number=facts["number"],
            result=result,
            request_id=facts.get("request"),  # a job of the release before has neither
            has_failed=facts.get("has_failed", False),
        )
        await desk.follow_up()

    async def on_show(facts: Mapping[str, Any]) -> None:
        await desk.show(facts["order"])

    async def on_stars_arrived(facts: Mapping[str, Any]) -> None:
        async with desk.database.transaction() as tx:
            await start_funded(tx, user_id=facts["user"], limits=desk.limits, others=desk.placers)

    return {START: on_start, COLLECT: on_collect, SHOW: on_show, STARS_ARRIVED: on_stars_arrived}


def _timers(booth: Booth, desk: _Desk, stop: asyncio.Event) -> list[Any]:
    async def sweep_orders() -> None:
        await sweep(desk.database, desk.outside)
        await desk.follow_up()

    async def sweep_overdue() -> None:
        await end_overdue(desk.database, desk.outside)
        await desk.follow_up()

    async def sweep_abandoned() -> None:
        await stop_abandoned(desk.database, desk.outside)

    async def sweep_zips() -> None:
        await take_back_zips(desk.database, desk.outside)

    async def sweep_deliveries() -> None:
        await desk.show(*await find_news(desk.database, news_limit=_NEWS_AT_ONCE, limit=50))

    async def sweep_wishes() -> None:
        await sweep_carts(desk.database, limits=desk.limits, others=desk.placers)

    async def close_purchases() -> None:
        async with desk.database.transaction() as tx:
            await close_expired(tx, limit=_CLOSED_AT_ONCE)

    async def tidy_studio() -> None:
        async with booth.database.transaction() as tx:
            await forget_old_drafts(tx)
        await delete_old_photos(booth.database, booth.storage, limit=_PHOTOS_AT_ONCE)

    async def paint_first_pictures() -> None:
        count = booth.settings.first_pictures
        await order_first_pictures(desk.database, limits=desk.limits, count=count)

    async def delete_files() -> None:
        await delete_doomed_files(booth.database, booth.storage, limit=_FILES_AT_ONCE)

    async def tidy() -> None:
        async with booth.database.transaction() as tx:
            await jobs.forget_old_logs(tx, keep_hours=_KEEP_JOB_LOG_HOURS)
            await forget_old_updates(tx)
            await forget_old_galleries(tx)

    return [
        jobs.every(1.0, sweep_orders, stop=stop),
        jobs.every(1.0, sweep_overdue, stop=stop),
        jobs.every(2.0, sweep_abandoned, stop=stop),
        jobs.every(5.0, sweep_zips, stop=stop),
        jobs.every(1.0, sweep_deliveries, stop=stop),
        jobs.every(1.0, sweep_wishes, stop=stop),
        jobs.every(2.0, paint_first_pictures, stop=stop),
        jobs.every(60.0, close_purchases, stop=stop),
        jobs.every(60.0, tidy_studio, stop=stop),
        jobs.every(5.0, delete_files, stop=stop),
        jobs.every(3600.0, tidy, stop=stop),
    ]
