"""The control API of groups: make one, let guests and the bot in and out, open and close topics.

What a guest does inside a group goes by the calls of `control`, with `?chat=` and `&thread=`.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from starbooth.playground import groups
from starbooth.playground.chats import Chat, Group
from starbooth.playground.control import TheWorld
from starbooth.playground.errors import GuestError, Json
from starbooth.playground.world import World

router = APIRouter(prefix="/control/groups")


class NewGroup(BaseModel):
    """The first member makes the group and does what is not said to be done by another."""

    title: Annotated[str, Field(min_length=1, max_length=128)]
    kind: Literal["group", "supergroup"] = "supergroup"
    is_forum: bool = False
    members: list[int]
    bot_status: Literal["member", "administrator", "left"] = "left"


class NewMember(BaseModel):
    user_id: int


class BotStatus(BaseModel):
    status: Literal["member", "administrator", "left", "kicked"]
    by: int | None = None


class NewTopic(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=128)]
    by: int | None = None


class TopicChange(BaseModel):
    is_closed: bool
    by: int | None = None


def _group(request: Request, group_id: int) -> Group:
    world: World = request.app.state.world
    return groups.find(world, group_id)


TheGroup = Annotated[Group, Depends(_group)]


@router.get("")
async def list_groups(world: TheWorld) -> list[Json]:
    return [group.summary() for group in world.groups.values()]


@router.post("", status_code=201)
async def make_group(world: TheWorld, new: NewGroup) -> Json:
    members = [world.guest(user_id) for user_id in new.members]
    group = groups.make(world, new.title, kind=new.kind, is_forum=new.is_forum, members=members)
    groups.set_bot_status(world, group, new.bot_status, by=members[0])
    world.commit()
    return group.record()


@router.post("/{group_id}/members")
async def add_member(world: TheWorld, group: TheGroup, new: NewMember) -> Json:
    groups.add_member(world, group, world.guest(new.user_id))
    world.commit()
    return group.record()


@router.delete("/{group_id}/members/{user_id}")
async def remove_member(world: TheWorld, group: TheGroup, user_id: int) -> Json:
    groups.remove_member(world, group, world.guest(user_id))
    world.commit()
    return group.record()


@router.post("/{group_id}/bot")
async def set_bot_status(world: TheWorld, group: TheGroup, wanted: BotStatus) -> Json:
    """Let the bot in, make it an administrator, let it leave or throw it out."""
    groups.set_bot_status(world, group, wanted.status, by=_actor(world, group, wanted.by))
    world.commit()
    return group.record()


@router.post("/{group_id}/topics", status_code=201)
async def open_topic(world: TheWorld, group: TheGroup, new: NewTopic) -> Json:
    thread_id = groups.open_topic(world, group, new.name, by=_actor(world, group, new.by))
    world.commit()
    return {"thread_id": thread_id}


@router.patch("/{group_id}/topics/{thread_id}")
async def close_topic(world: TheWorld, group: TheGroup, thread_id: int, change: TopicChange) -> Json:
    actor = _actor(world, group, change.by)
    groups.close_topic(world, group, thread_id, is_closed=change.is_closed, by=actor)
    world.commit()
    return group.record()


@router.delete("/{group_id}/topics/{thread_id}")
async def delete_topic(world: TheWorld, group: TheGroup, thread_id: int) -> Json:
    groups.delete_topic(world, group, thread_id)
    world.commit()
    return group.record()


@router.post("/{group_id}/migrate", status_code=201)
async def migrate(world: TheWorld, group: TheGroup) -> Json:
    """Turn a group into a supergroup; answers with the supergroup that takes its place."""
    grown = groups.migrate(world, group, by=_actor(world, group, None))
    world.commit()
    return grown.record()


def _actor(world: World, group: Group, user_id: int | None) -> Chat:
    """Who does it. Raises: GuestError 403 for a guest outside, 409 for an empty group."""
    if user_id is None and not group.members:
        raise GuestError(409, "nobody is in the group")
    actor = user_id if user_id is not None else group.members[0]
    if actor not in group.members:
        raise GuestError(403, "this guest is not in the group")
    return world.guest(actor)
