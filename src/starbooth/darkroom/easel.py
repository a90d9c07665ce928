"""One thread in which a painter is opened and paints, so that the event loop stays free. Knows no queue and
no HTTP.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from starbooth.darkroom.painter import Painter

T = TypeVar("T")
OpenPainter = Callable[[], Painter]


class Easel:
    """Runs one piece of work after another in its own thread.

    The thread is a daemon: a step that takes minutes does not keep a stopped process alive.
    """

    def __init__(self) -> None:
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="darkroom-easel", daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[], T]) -> T:
        """Do `work` in the thread, after what was handed in before. Raises: what it raises."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def attempt() -> None:
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
                _tell(loop, done, None, error)
            else:
                _tell(loop, done, result, None)

        self._inbox.put(attempt)
        return await done

    def _work(self) -> None:
        while True:
            self._inbox.get()()


def _tell(
    loop: asyncio.AbstractEventLoop, done: asyncio.Future[Any], result: Any, error: BaseException | None
) -> None:
    def resolve() -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    if not loop.is_closed():
        loop.call_soon_threadsafe(resolve)
