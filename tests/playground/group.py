"""A group of guests in a running playground, for tests. Needs `guest.py` and nothing else.

group = await make_group(ada, boris, is_forum=True)
topic = await group.open_topic("Foxes")
inside = group.seat(ada, topic)
await inside.say("/paint a fox")
await inside.wait_for(lambda message: bool(message.photo_id))
"""

from dataclasses import dataclass

from tests.playground.guest import Guest, Json


@dataclass(frozen=True)
class Group:
    """A group that `host` has made. Refused requests raise `httpx.HTTPStatusError`."""

    group_id: int
    host: Guest

    def seat(self, guest: Guest, thread_id: int = 0) -> Guest:
        """The same guest in this group, or in a topic of it. Closed with the guest it comes from."""
        return guest.in_chat(self.group_id, thread_id)

    async def add(self, guest: Guest) -> None:
        await self._ask("POST", "/members", json={"user_id": guest.user_id})

    async def remove(self, guest: Guest) -> None:
        await self._ask("DELETE", f"/members/{guest.user_id}")

    async def set_bot(self, status: str) -> None:
        """status: member, administrator, left or kicked."""
        await self._ask("POST", "/bot", json={"status": status})

    async def open_topic(self, name: str) -> int:
        """The thread id of a new topic."""
        return int((await self._ask("POST", "/topics", json={"name": name}))["thread_id"])

    async def close_topic(self, thread_id: int, *, is_closed: bool = True) -> None:
        await self._ask("PATCH", f"/topics/{thread_id}", json={"is_closed": is_closed})

    async def delete_topic(self, thread_id: int) -> None:
        await self._ask("DELETE", f"/topics/{thread_id}")

    async def migrate(self) -> "Group":
        """The supergroup that takes the place of this group."""
        return Group(int((await self._ask("POST", "/migrate"))["group_id"]), self.host)

    async def _ask(self, method: str, path: str, **options: object) -> Json:
        return dict(await self.host.ask(method, f"/groups/{self.group_id}{path}", **options))


async def make_group(
    host: Guest,
    *others: Guest,
    title: str = "Painters",
    kind: str = "supergroup",
    is_forum: bool = False,
    bot_status: str = "member",
) -> Group:
    """A group with these guests and the bot in it."""
    wanted = {
        "title": title,
        "kind": kind,
        "is_forum": is_forum,
        "members": [guest.user_id for guest in (host, *others)],
        "bot_status": bot_status,
    }
    made = await host.ask("POST", "/groups", json=wanted)
    return Group(int(made["group_id"]), host)
