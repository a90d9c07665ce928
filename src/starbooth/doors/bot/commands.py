"""The commands that everybody may use: the one list of them, for Telegram's menu, /help and the handlers."""

from collections.abc import Sequence
from enum import StrEnum

from starbooth.doors.bot.terms import Terms
from starbooth.doors.bot.words import Words


class Command(StrEnum):
    """The commands, as they are typed. The one list of them."""

    START = "start"
    PAINT = "paint"
    SETTINGS = "settings"
    GALLERY = "gallery"
    TRAIN = "train"
    MODELS = "models"
    PACKS = "packs"
    BUY = "buy"
    BALANCE = "balance"
    PLAN = "plan"
    DAILY = "daily"
    PROMO = "promo"
    INVITE = "invite"
    CANCEL = "cancel"
    HELP = "help"
    PAYSUPPORT = "paysupport"
    TERMS = "terms"
    PRIVACY = "privacy"
    EXPORT = "export"
    DELETEMYACCOUNT = "deletemyaccount"


# Those that do something in a group; the others open the private chat.
GROUP_COMMANDS = (Command.PAINT, Command.CANCEL, Command.HELP)
_GIFTS = frozenset({Command.DAILY, Command.PROMO, Command.INVITE})
_PAPERS = frozenset(
    {
        Command.HELP,
        Command.PAYSUPPORT,
        Command.TERMS,
        Command.PRIVACY,
        Command.EXPORT,
        Command.DELETEMYACCOUNT,
    }
)


def group_commands(commands: Sequence[Command]) -> list[list[Command]]:
    """The commands by what they are about: pictures and stars, gifts, help. No group is empty."""
    groups = (
        [each for each in commands if each not in _GIFTS | _PAPERS],
        [each for each in commands if each in _GIFTS],
        [each for each in commands if each in _PAPERS],
    )
    return [group for group in groups if group]


def offered_commands(terms: Terms) -> Sequence[Command]:
    """The commands that do something in this booth, in the order of the menu."""
    is_idle = {
        Command.PLAN: terms.plan is None,
        Command.DAILY: terms.daily_stars == 0,
        Command.INVITE: terms.referral_stars == 0,
    }
    return [command for command in Command if not is_idle.get(command, False)]


def describe_command(command: Command, words: Words) -> str:
    """What a command does, for Telegram's menu and for /help."""
    match command:
        case Command.START:
            return words.plain("Say hello")
        case Command.PAINT:
            return words.plain("Paint what you describe")
        case Command.SETTINGS:
            return words.plain("Model, shape, LoRAs and more")
        case Command.GALLERY:
            return words.plain("Your pictures so far")
        case Command.TRAIN:
            return words.plain("A model from your photos")
        case Command.MODELS:
            return words.plain("Your models, and those of others")
        case Command.PACKS:
            return words.plain("Many pictures of a model at one press")
        case Command.BUY:
            return words.plain("Top up your stars")
        case Command.BALANCE:
            return words.plain("Your stars and what they did")
        case Command.PLAN:
            return words.plain("The monthly plan")
        case Command.DAILY:
            return words.plain("The gift of the day")
        case Command.PROMO:
            return words.plain("Turn a code into stars")
        case Command.INVITE:
            return words.plain("Bring a friend, and both get stars")
        case Command.CANCEL:
            return words.plain("Cancel the picture that waits")
        case Command.HELP:
            return words.plain("How this works")
        case Command.PAYSUPPORT:
            return words.plain("Help with a payment")
        case Command.TERMS:
            return words.plain("The rules")
        case Command.PRIVACY:
            return words.plain("What is kept about you")
        case Command.EXPORT:
            return words.plain("All of it as a file")
        case Command.DELETEMYACCOUNT:
            return words.plain("Have all of it deleted")
