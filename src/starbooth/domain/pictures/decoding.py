"""One at a time: decoding pictures takes memory, a hundred megabytes and more for a large one.

Everything that unpacks what guests send goes through here, so a process holds one unpacked picture, however
many guests send one in the same second.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Made = TypeVar("Made")


async def in_turn(work: Callable[Given, Made], *given: Given.args, **named: Given.kwargs) -> Made:
    """Do this work in the process's one thread for it, after what was asked before.

    Called off, it does not begin if it has not begun. Raises: what `work` raises.
    """
    return await asyncio.get_running_loop().run_in_executor(_thread(), partial(work, *given, **named))


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="decoding")
