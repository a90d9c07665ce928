"""Bot API methods about the bot itself: who it is, its commands, descriptions and menu button."""

import re
from typing import Any

from starbooth.playground.errors import Json, bad_request
from starbooth.playground.params import Params, decode_json
from starbooth.playground.world import World

_SCOPES = frozenset(
    [
        "default",
        "all_private_chats",
        "all_group_chats",
        "all_chat_administrators",
        "chat",
        "chat_administrators",
        "chat_member",
    ]
)


def get_me(world: World, params: Params) -> Json:  # noqa: ARG001 - the signature of all methods
    return {
        **world.bot.as_user(),
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": True,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


def set_my_commands(world: World, params: Params) -> bool:
    value = params.json("commands", "can't parse commands JSON object")
    if value is not None and not isinstance(value, list):
        raise bad_request("expected an Array of BotCommand")
    commands = [_command(item) for item in value or []]
    if len(commands) > 100:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    key = _scope_key(params)
    if commands:
        world.profile["commands"][key] = commands
    else:
        world.profile["commands"].pop(key, None)
    _profile_changed(world)
    return True


def get_my_commands(world: World, params: Params) -> list[Json]:
    commands: list[Json] = world.profile["commands"].get(_scope_key(params), [])
    return commands


def delete_my_commands(world: World, params: Params) -> bool:
    world.profile["commands"].pop(_scope_key(params), None)
    _profile_changed(world)
    return True


def set_my_description(world: World, params: Params) -> bool:
    return _set_text(world, params, "description", 512)


def set_my_short_description(world: World, params: Params) -> bool:
    return _set_text(world, params, "short_description", 120)


def set_chat_menu_button(world: World, params: Params) -> bool:
    button = params.json("menu_button", "can't parse menu button JSON object")
    if button is not None and not isinstance(button, dict):
        raise bad_request("MenuButton must be an Object")
    button = button or {"type": "default"}
    if button.get("type") not in ("default", "commands", "web_app"):
        raise bad_request("MenuButton has unsupported type")
    if button["type"] == "web_app" and not button.get("text"):
        raise bad_request("menu button text must be non-empty")
    world.profile["menu_button"][params.text("chat_id")] = button
    _profile_changed(world)
    return True


def commands_for(world: World, chat_id: int, language_code: str) -> list[Json]:
    """The command list that a guest sees in this chat: the narrowest scope first, in each the own language
    first.
    """
    kind = "all_private_chats" if chat_id > 0 else "all_group_chats"
    for scope in (f"chat:{chat_id}", kind, "default"):
        for language in (language_code, ""):
            commands: list[Json] = world.profile["commands"].get(f"{scope}/{language}", [])
            if commands:
                return commands
    return []


def text_for(world: World, field: str, language_code: str) -> str:
    """`description` or `short_description` as this guest sees it."""
    texts = world.profile[field]
    return str(texts.get(language_code) or texts.get("") or "")


def _profile_changed(world: World) -> None:
    world.keep_settings()
    world.feed.add("profile", 0, {})


def _set_text(world: World, params: Params, field: str, max_length: int) -> bool:
    text = params.text(field)
    if len(text) > max_length:
        raise bad_request(f"bot {field.replace('_', ' ')} is too long")
    world.profile[field][_language(params)] = text
    _profile_changed(world)
    return True


def _language(params: Params) -> str:
    code = params.text("language_code")
    if code and not re.fullmatch(r"[a-z]{2}", code):
        raise bad_request("invalid language code specified")
    return code


def _scope_key(params: Params) -> str:
    scope = params.json("scope", "can't parse BotCommandScope JSON object") or {"type": "default"}
    if not isinstance(scope, dict):
        raise bad_request("BotCommandScope must be an Object")
    if scope.get("type") not in _SCOPES:
        raise bad_request("can't parse BotCommandScope: unsupported type specified")
    chat = f":{scope.get('chat_id', '')}" if "chat_id" in scope else ""
    return f"{scope['type']}{chat}/{_language(params)}"


def _command(item: Any) -> Json:
    if not isinstance(item, dict):
        raise bad_request("can't parse BotCommand: expected an Object")
    for name in ("command", "description"):
        if not isinstance(item.get(name), str):
            raise bad_request(f"can't parse BotCommand: can't find field \"{name}\"")
    command = item["command"].strip().removeprefix("/")
    description = item["description"].strip()
    if not command:
        raise bad_request("command must be non-empty")
    if len(command) > 32:
        raise bad_request("command length must not exceed 32")
    if not re.fullmatch(r"[a-z0-9_]+", command):
        raise bad_request("BOT_COMMAND_INVALID")
    if not description:
        raise bad_request("command description must be non-empty")
    if len(description) > 256:
        raise bad_request("command description length must not exceed 256")
    return {"command": command, "description": description}


def allowed_updates(params: Params) -> list[str] | None:
    """The `allowed_updates` parameter; None when it is absent, which means: as before."""
    text = params.text("allowed_updates")
    if not text:
        return None
    try:
        value = decode_json(text)
    except ValueError:
        return None
    return [str(kind) for kind in value] if isinstance(value, list) else None
