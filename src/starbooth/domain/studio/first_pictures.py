"""The first pictures of a model: painted by themselves once its training has ended well, on the house.

They are an order like any other, at no price, by a key made of the training: however often it is asked for,
one order comes of it. What refuses them (as many orders as the guest may have, words that the operator does
not allow) puts them off, for an hour at most.
"""

from dataclasses import dataclass
from datetime import timedelta

import structlog

from starbooth.base.database import Database, sql
from starbooth.base.errors import Refusal
from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.generations.choices import Choices, LoraChoice
from starbooth.domain.generations.request import Limits, PictureRequest, request_pictures
from starbooth.domain.orders.place import Source, is_placed
from starbooth.domain.users.guests import Language

_log = structlog.get_logger()
_PATIENCE = timedelta(hours=1)
# In English, as models are trained; the trigger word is put before them.
_PROMPTS = {
    LoraType.STYLE: "a lighthouse on a rock by the sea, evening",
    LoraType.PORTRAIT: "a portrait by a window, soft daylight, looking at us",
}
_ENDED = sql("""
    SELECT t.order_id, t.lora_id, o.user_id, l."type"::text AS lora_type, l."baseModelId" AS base_model_id,
        d.chat_id, d.language
    FROM starbooth.orders o
    JOIN starbooth.training_orders t ON t.order_id = o.id
    JOIN public."LoraModel" l ON l."id" = t.lora_id AND l."status" = 'COMPLETED'
    LEFT JOIN starbooth.deliveries d ON d.order_id = o.id
    WHERE o.kind = 'training' AND o.state = 'done' AND o.ended_at > now() - CAST(:patience AS interval)
    ORDER BY o.ended_at
""")


@dataclass(frozen=True, kw_only=True)
class _Trained:
    """A training that ended well lately. chat_id: None where nobody waits in a chat."""

    order_id: str
    lora_id: str
    user_id: str
    lora_type: str
    base_model_id: str
    chat_id: int | None
    language: str | None


async def order_first_pictures(database: Database, *, limits: Limits, count: int) -> int:
    """Order what is missing for trainings of the last hour; returns how many orders were placed.

    count: pictures of each; 0 orders none. Repeat: harmless, also several at once. Raises: Unavailable.
    """
    if count == 0:
        return 0
    async with database.statement() as tx:
        trained = [_Trained(**row._mapping) for row in await tx.execute(_ENDED, {"patience": _PATIENCE})]
    return sum([await _order(database, each, limits=limits, count=count) for each in trained])


async def _order(database: Database, trained: _Trained, *, limits: Limits, count: int) -> bool:
    ask = PictureRequest(
        request_key=f"first:{trained.order_id}",
        user_id=trained.user_id,
        source=Source.BOT,
        prompt=_PROMPTS[LoraType(trained.lora_type)],
        choices=Choices(
            base_model_id=trained.base_model_id,
            count=count,
            loras=(LoraChoice(lora_id=trained.lora_id),),
        ),
    )
    try:
        async with database.transaction() as tx:
            if await is_placed(tx, user_id=ask.user_id, request_key=ask.request_key):
                return False
            await request_pictures(tx, ask, limits=limits, recipient=_recipient(trained), price_stars=0)
    except Refusal as refusal:
        _log.info("first_pictures.put_off", order=trained.order_id, reason=refusal.code)
        return False
    return True


def _recipient(trained: _Trained) -> Recipient | None:
    if trained.chat_id is None or trained.language is None:
        return None
    return Recipient(chat_id=trained.chat_id, reply_to_message_id=None, language=Language(trained.language))
