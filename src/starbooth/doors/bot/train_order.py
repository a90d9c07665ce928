"""The press that orders a training: photos are cut as was shown, then all happens in one transaction."""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.orders.place import Source
from starbooth.domain.trainings.cutting import cut_photos
from starbooth.domain.trainings.errors import NoSuchSet, TrainingPriceChanged
from starbooth.domain.trainings.photo_sets import SetState, read_open_set, read_set
from starbooth.domain.trainings.request import TrainingRequest, request_training
from starbooth.doors.bot.desk import Desk, Met
from starbooth.doors.bot.pieces import plain_stars
from starbooth.doors.bot.train_moves import Move, Page
from starbooth.doors.bot.train_screens import render_ordered
from starbooth.doors.bot.train_views import SetView, draw_page, read_train_panel


async def order_training(desk: Desk, move: Move, met: Met, *, query_id: str) -> SetView:
    """Order what the set is for, at the price on the button. Repeat: the set is ordered, and stays so.

    A price that is another one by now is shown, and nothing is ordered.
    Raises: NoSuchSet, and what `request_training` raises.
    """
    user_id = met.guest.user_id
    try:
        await cut_photos(desk.database, desk.storage, move.set_id, user_id=user_id)
        return await _order(desk, move, met, query_id=query_id)
    except TrainingPriceChanged:
        return await _show_price(desk, move, met)
    except NoSuchSet:
        async with desk.database.transaction() as tx:
            if (await read_set(tx, move.set_id, user_id=user_id)).state is not SetState.ORDERED:
                raise
        return _ordered(met)


async def _order(desk: Desk, move: Move, met: Met, *, query_id: str) -> SetView:
    ask = TrainingRequest(
        request_key=f"set:{move.set_id}:{query_id}",
        user_id=met.guest.user_id,
        source=Source.BOT,
        set_id=move.set_id,
    )
    recipient = Recipient(chat_id=met.guest.chat_id, reply_to_message_id=None, language=met.guest.language)
    async with desk.database.transaction() as tx:
        await read_open_set(
            tx, move.set_id, user_id=met.guest.user_id
        )  # else it was ordered by another press
        placed = await request_training(
            tx, ask, limits=desk.terms.trainings, recipient=recipient, price_stars=int(move.value)
        )
    return _ordered(met, price_stars=placed.price_stars)


def _ordered(met: Met, *, price_stars: int | None = None) -> SetView:
    if price_stars is None:
        toast = met.words.plain("On its way.")
    else:
        toast = met.words.plain("On its way: {stars}.", stars=plain_stars(met.words, price_stars))
    return SetView(screen=render_ordered(met.words), toast=toast)


async def _show_price(desk: Desk, move: Move, met: Met) -> SetView:
    async with desk.database.transaction() as tx:
        photo_set = await read_open_set(tx, move.set_id, user_id=met.guest.user_id)
        view = draw_page(met, await read_train_panel(tx, photo_set), Page.CHOICES)
    return SetView(screen=view.screen, toast=met.words.plain("The price has changed."))
