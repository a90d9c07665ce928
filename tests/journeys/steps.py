"""Steps that journeys through a whole house share."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starbooth.base.database import Database
from tests.doors.bot.buying import execute, rows
from tests.doors.bot.panels import choose, open_settings
from tests.journeys.house import House
from tests.make.loras import make_lora
from tests.playground.guest import Guest, Message

PATIENCE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Ended:
    """An order of a guest that has ended. prompts: what each picture was painted from, by its row."""

    order_id: str
    state: str
    price_stars: int
    spent_stars: int
    seeds: Sequence[int]
    prompts: Sequence[str]
    file_keys: Sequence[str]


@asynccontextmanager
async def welcomed(house: House, name: str = "Ada") -> AsyncIterator[Guest]:
    """A new guest of this house, whom the bot has greeted."""
    async with Guest(house.playground_url, name) as guest:
        hello = await guest.say("/start")
        await guest.wait_for(lambda message: bool(message.text), after=hello, timeout_s=PATIENCE_S)
        yield guest


async def set_choices(guest: Guest, *labels: str) -> Message:
    """Press these buttons of /settings, one after another; returns the panel as it is then."""
    return await choose(guest, await open_settings(guest), *labels)


async def result_of(guest: Guest, after: Message) -> Message:
    """The message of the next order that has ended: it bears a button for having it once more."""
    return await guest.wait_for(
        lambda message: any(label.startswith(("Again", "Try again")) for label in message.labels),
        after=after,
        timeout_s=PATIENCE_S,
    )


async def paint(guest: Guest, prompt: str) -> Message:
    """Say it and wait for what comes of it."""
    return await result_of(guest, await guest.say(prompt))


async def told_since(guest: Guest, asked: Message) -> list[Message]:
    """All that the bot said after this message, as it stands now."""
    return [
        each for each in await guest.messages() if each.is_from_bot and each.message_id > asked.message_id
    ]


async def orders_of(database: Database, guest: Guest) -> list[Ended]:
    """All orders of this guest, oldest first."""
    found = await rows(
        database,
        """
            SELECT o.id, o.state, o.price_stars, o.spent_stars, array_agg(t.seed ORDER BY t.number),
                (SELECT array_agg(g."prompt" ORDER BY (g."metadata" ->> 'number')::integer)
                    FROM public."Generation" g WHERE g."metadata" ->> 'orderId' = o.id),
                array_agg(t.file_key ORDER BY t.number) FILTER (WHERE t.file_key IS NOT NULL)
            FROM starbooth.orders o JOIN starbooth.tickets t ON t.order_id = o.id
            JOIN public."User" u ON u."id" = o.user_id AND u."telegramId" = :id
            GROUP BY o.id ORDER BY o.created_at
        """,
        id=str(guest.user_id),
    )
    return [
        Ended(
            order_id=order_id,
            state=state,
            price_stars=price,
            spent_stars=spent or 0,
            seeds=seeds,
            prompts=prompts or (),
            file_keys=keys or (),
        )
        for order_id, state, price, spent, seeds, prompts, keys in found
    ]


async def until_gone(house: House, key: str) -> None:
    """Return once this file is not in the storage any more. Raises: TimeoutError."""
    for _ in range(200):
        if not (house.storage / key).exists():
            return
        await asyncio.sleep(0.1)
    raise TimeoutError(key)


def lora_weights() -> bytes:
    """The least that the darkroom takes for a LoRA: one tensor of one number."""
    tensor = {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]}
    header = json.dumps({"transformer.x.lora_A.weight": tensor}).encode()
    return struct.pack("<Q", len(header)) + header + struct.pack("<f", 0.5)


async def give_lora(
    house: House, database: Database, guest: Guest, *, name: str = "Me", fee_stars: int | None = None
) -> tuple[str, str]:
    """A LoRA of this guest with its weights in the storage: its id, and their lasting address.

    fee_stars: it is public, and this is what others pay.
    """
    [(user_id,)] = await rows(
        database, 'SELECT "id" FROM public."User" WHERE "telegramId" = :id', id=str(guest.user_id)
    )
    lora_id = await make_lora(
        database,
        user_id,
        name=name,
        trigger_word="sks",
        is_public=fee_stars is not None,
        fee_stars=fee_stars or 0,
    )
    path = house.storage / "loras" / f"{lora_id}.safetensors"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(lora_weights())
    url = f"{house.web_url}/files/loras/{path.name}"
    await execute(
        database, 'UPDATE public."LoraModel" SET "weightsUrl" = :url WHERE "id" = :id', url=url, id=lora_id
    )
    return lora_id, url
