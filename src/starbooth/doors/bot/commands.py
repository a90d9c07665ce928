"""The commands that everybody may use: the one list of them, for Telegram's menu, /help and the handlers."""

from collections.abc import Sequence
from enum import StrEnum

from starbooth.doors.bot.terms import Terms
from starbooth.doors.bot.words import Words


class Command(StrEnum):
    """The commands, as they are typed. The one list of them."""

    START = "start"
    BUY = "buy"
    BALANCE = "balance"
    PLAN = "plan"
    CANCEL = "cancel"
    HELP = "help"


def offered_commands(terms: Terms) -> Sequence[Command]:
    """The commands that do something in this booth, in the order of the menu."""
    idle = {Command.PLAN} if terms.plan is None else set()
    return [command for command in Command if command not in idle]


def describe_command(command: Command, words: Words) -> str:
    """What a command does, for Telegram's menu and for /help."""
    match command:
        case Command.START:
            return words.plain("Say hello")
        case Command.BUY:
            return words.plain("Top up your stars")
        case Command.BALANCE:
            return words.plain("Your stars and what they did")
        case Command.PLAN:
            return words.plain("The monthly plan")
        case Command.CANCEL:
            return words.plain("Cancel the picture that waits")
        case Command.HELP:
            return words.plain("How this works")
