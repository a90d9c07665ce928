"""`starbooth generate`: one picture from the command line, as an order like any other."""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from starbooth.base.database import Tx
from starbooth.base.errors import Refusal
from starbooth.base.settings import Settings
from starbooth.cli.money import refusal_text
from starbooth.cli.wiring import Booth, limits_of, open_booth
from starbooth.domain.generations.choices import Choices
from starbooth.domain.generations.errors import PromptEmpty, PromptTooLong
from starbooth.domain.generations.request import PictureRequest, request_pictures
from starbooth.domain.orders.place import Source
from starbooth.domain.orders.read import OrderView, read_order
from starbooth.domain.stars import ledger
from starbooth.domain.users.guests import Language, find_user, meet

_PATIENCE_S = 10.0
_OPERATOR = 0  # no person of Telegram has this id


async def generate_picture(
    settings: Settings, *, prompt: str, output: Path, seed: int | None, as_user: str | None
) -> int:
    """Place an order, show its progress, write the picture. Returns the exit status."""
    if not output.parent.is_dir():
        print(f"There is no folder {output.parent}.", file=sys.stderr)
        return 2
    async with open_booth(settings, connections=2) as booth:
        try:
            async with booth.database.transaction() as tx:
                order_id = await _place(tx, settings, prompt=prompt, seed=seed, as_user=as_user)
        except (PromptEmpty, PromptTooLong) as refusal:
            print(f"This prompt cannot be painted: {refusal.code}.", file=sys.stderr)
            return 1
        except Refusal as refusal:
            print(refusal_text(refusal), file=sys.stderr)
            return 1
        view = await _watch(booth, order_id)
        return await _write(booth, view, output)


async def _place(tx: Tx, settings: Settings, *, prompt: str, seed: int | None, as_user: str | None) -> str:
    user_id = await (find_user(tx, as_user) if as_user else _operator(tx))
    request = PictureRequest(
        request_key=f"command:{secrets.token_hex(16)}",
        user_id=user_id,
        source=Source.COMMAND,
        prompt=prompt,
        choices=Choices(seed=seed),
    )
    placed = await request_pictures(tx, request, limits=limits_of(settings), recipient=None)
    return placed.order_id


async def _operator(tx: Tx) -> str:
    """The account that pays for an operator's own pictures, filled up by grants as it is used."""
    guest = await meet(tx, telegram_id=_OPERATOR, chat_id=0, username=None, language=Language.ENGLISH)
    if guest.stars < 100:
        await ledger.grant(
            tx,
            user_id=guest.user_id,
            amount=1000,
            reason="pictures from the command line",
            operator="command:generate",
            key=f"grant:{secrets.token_hex(12)}",
        )
    return guest.user_id


async def _watch(booth: Booth, order_id: str) -> OrderView:
    """Show the order's progress until it ends. Ctrl-C leaves; the order goes on."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("waiting", total=1.0)
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        async with _news(booth, order_id) as news:
            while True:
                async with booth.database.transaction() as tx:
                    view = await read_order(tx, order_id, slots=booth.settings.engine_slots)
                assert view is not None
                where = _where(view, loop.time() - began_at)
                bar.update(task, description=where, completed=view.progress)
                if view.has_ended:
                    return view
                await _next(news)


def _where(view: OrderView, waited_s: float) -> str:
    if view.position is None:
        return "painting"
    hint = "; is a worker running?" if waited_s > _PATIENCE_S else ""
    return f"waiting, place {view.position}{hint}"


@asynccontextmanager
async def _news(booth: Booth, order_id: str) -> AsyncIterator[asyncio.Event]:
    changed = asyncio.Event()

    def on_message(payload: str) -> None:
        if payload == order_id:
            changed.set()

    async with booth.database.listen("starbooth_order", on_message):
        yield changed


async def _next(news: asyncio.Event) -> None:
    """Wait for the order to change; look again after a second in any case."""
    try:
        await asyncio.wait_for(news.wait(), timeout=1.0)
    except TimeoutError:
        return
    news.clear()


async def _write(booth: Booth, view: OrderView, output: Path) -> int:
    if not view.file_keys:
        print(f"No picture came ({view.error_code}); all {view.price_stars} stars are back.", file=sys.stderr)
        return 1
    body = await booth.storage.get(view.file_keys[0])
    await asyncio.to_thread(output.write_bytes, body)
    print(f"{output}: {view.spent_stars} stars, seed {view.seeds[0]}")
    return 0
