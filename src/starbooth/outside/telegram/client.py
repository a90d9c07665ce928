"""Telegram's Bot API through aiogram: one bot, and its exceptions by our names.

Knows Telegram's error texts. Knows no words, no order and no rule about when to send: a text is Telegram's
HTML with every foreign piece escaped, a keyboard is aiogram's.
"""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from aiogram import Bot
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.enums import ParseMode
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramConflictError,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.types import (
    BufferedInputFile,
    InlineKeyboardMarkup,
    InlineQueryResultCachedPhoto,
    InlineQueryResultsButton,
    InlineQueryResultUnion,
    InputFile,
    InputMediaDocument,
    InputMediaPhoto,
    MediaUnion,
    Message,
    ReplyParameters,
)
from aiogram.utils.token import TokenValidationError
from aiohttp import ClientError

from starbooth.base.errors import SettingError
from starbooth.outside.telegram.errors import (
    AlreadyRefunded,
    Blocked,
    ChargeUnknown,
    ChatMoved,
    FileTooLarge,
    MessageGone,
    NotModified,
    TelegramRefused,
    TelegramUnavailable,
    TooLate,
    TooMany,
)

CALL_S = 20
UPLOAD_S = 60
_CHUNK_BYTES = 64 * 1024


def open_bot(token: str, api: str) -> Bot:
    """The bot of `token` at the Bot API server `api`, with one session for all its calls.

    Asks no network. Close it by `bot.session.close()`. Raises: SettingError where the token is not one.
    """
    session = AiohttpSession(api=TelegramAPIServer.from_base(api), timeout=CALL_S)
    try:
        return Bot(token, session=session, default=DefaultBotProperties(link_preview_is_disabled=True))
    except TokenValidationError as error:
        advice = "is not a token; @BotFather gives one like 123456:ABC-DEF."
        raise SettingError("STARBOOTH_TELEGRAM_TOKEN", advice) from error


@asynccontextmanager
async def opened_bot(token: str, api: str) -> AsyncIterator[Bot]:
    """`open_bot`, closed at the end."""
    bot = open_bot(token, api)
    try:
        yield bot
    finally:
        await bot.session.close()


async def send_text(
    bot: Bot,
    html: str,
    *,
    chat_id: int,
    keyboard: InlineKeyboardMarkup | None = None,
    reply_to_message_id: int | None = None,
    thread_id: int | None = None,
) -> int:
    """Send a message and return its id. Not safe to repeat. If what it replies to is gone, it stands alone.

    thread_id: a topic of a group.

    Raises: Blocked, TelegramRefused, TelegramUnavailable.
    """
    with telegram_errors():
        message = await bot.send_message(
            chat_id,
            html,
            message_thread_id=thread_id,
            parse_mode=ParseMode.HTML,
            reply_markup=keyboard,
            reply_parameters=_reply_to(reply_to_message_id),
        )
    return message.message_id


async def edit_text(
    bot: Bot, html: str, *, chat_id: int, message_id: int, keyboard: InlineKeyboardMarkup | None = None
) -> None:
    """Make a text message this one. Safe to repeat.

    Raises: NotModified, MessageGone (also where it is a picture by now), Blocked, TelegramRefused,
    TelegramUnavailable.
    """
    with telegram_errors():
        await bot.edit_message_text(
            html, chat_id=chat_id, message_id=message_id, parse_mode=ParseMode.HTML, reply_markup=keyboard
        )


async def edit_picture(
    bot: Bot,
    picture: bytes | str,
    html: str,
    *,
    chat_id: int,
    message_id: int,
    file_name: str = "picture.png",
    keyboard: InlineKeyboardMarkup | None = None,
    is_document: bool = False,
) -> str | None:
    """Make a message this picture (bytes, or a file id of Telegram) above this caption. Safe to repeat.

    is_document: as a file rather than as a photo; a part of an album cannot become that.
    Returns Telegram's file id, by which the picture can be shown again without an upload.
    Raises: NotModified, MessageGone, Blocked, TelegramRefused, TelegramUnavailable.
    """
    file = BufferedInputFile(picture, file_name) if isinstance(picture, bytes) else picture
    kind = InputMediaDocument if is_document else InputMediaPhoto
    media = kind(media=file, caption=html, parse_mode=ParseMode.HTML)
    with telegram_errors():
        shown = await bot.edit_message_media(
            media, chat_id=chat_id, message_id=message_id, reply_markup=keyboard, request_timeout=UPLOAD_S
        )
    return shown.photo[-1].file_id if isinstance(shown, Message) and shown.photo else None


async def edit_caption(
    bot: Bot, html: str, *, chat_id: int, message_id: int, keyboard: InlineKeyboardMarkup | None = None
) -> None:
    """Have other words below a picture. Safe to repeat.

    Raises: NotModified, MessageGone (also where it is no picture), Blocked, TelegramRefused,
    TelegramUnavailable.
    """
    with telegram_errors():
        await bot.edit_message_caption(
            caption=html,
            chat_id=chat_id,
            message_id=message_id,
            parse_mode=ParseMode.HTML,
            reply_markup=keyboard,
        )


async def send_picture(
    bot: Bot, picture: bytes, html: str, *, chat_id: int, keyboard: InlineKeyboardMarkup | None = None
) -> int:
    """Send a photo above this caption and return the message's id. Not safe to repeat.

    Raises: Blocked, TelegramRefused, TelegramUnavailable.
    """
    with telegram_errors():
        message = await bot.send_photo(
            chat_id,
            BufferedInputFile(picture, "picture.jpg"),
            caption=html,
            parse_mode=ParseMode.HTML,
            reply_markup=keyboard,
            request_timeout=UPLOAD_S,
        )
    return message.message_id


async def send_album(
    bot: Bot,
    pictures: Sequence[bytes],
    *,
    chat_id: int,
    reply_to_message_id: int | None = None,
    thread_id: int | None = None,
) -> Sequence[int]:
    """Send two to ten photos as one album and return their messages' ids, in order. Not safe to repeat.

    Raises: Blocked, TelegramRefused, TelegramUnavailable; after the last a part of them may be there.
    """
    media: list[MediaUnion] = [
        InputMediaPhoto(media=BufferedInputFile(picture, f"{place}.jpg"))
        for place, picture in enumerate(pictures)
    ]
    with telegram_errors():
        messages = await bot.send_media_group(
            chat_id,
            media,
            message_thread_id=thread_id,
            reply_parameters=_reply_to(reply_to_message_id),
            request_timeout=UPLOAD_S,
        )
    return [message.message_id for message in messages]


async def delete_messages(bot: Bot, message_ids: Sequence[int], *, chat_id: int) -> None:
    """Delete up to a hundred messages of ours. Repeat: harmless, those that are gone are passed over.

    Raises: MessageGone where they are too old to be deleted, Blocked, TelegramRefused, TelegramUnavailable.
    """
    with telegram_errors():
        await bot.delete_messages(chat_id, list(message_ids))


def _reply_to(message_id: int | None) -> ReplyParameters | None:
    if message_id is None:
        return None
    return ReplyParameters(message_id=message_id, allow_sending_without_reply=True)


async def send_document(bot: Bot, file: InputFile, html: str, *, chat_id: int) -> int:
    """Send a file as it is, with these words below, and return the message's id. Not safe to repeat.

    Raises: Blocked, TelegramRefused, TelegramUnavailable.
    """
    with telegram_errors():
        message = await bot.send_document(
            chat_id, file, caption=html, parse_mode=ParseMode.HTML, request_timeout=UPLOAD_S
        )
    return message.message_id


async def fetch_file(bot: Bot, file_id: str, *, limit_bytes: int) -> bytes:
    """The bytes of a file that a guest sent, at most so many. Safe to repeat.

    Raises: FileTooLarge, TelegramRefused, TelegramUnavailable.
    """
    with telegram_errors():
        file = await bot.get_file(file_id)
    if file.file_path is None:
        raise TelegramUnavailable("the file has no path yet")
    url = bot.session.api.file_url(bot.token, file.file_path)
    body = bytearray()
    try:
        async for chunk in bot.session.stream_content(
            url, timeout=UPLOAD_S, chunk_size=_CHUNK_BYTES, raise_for_status=True
        ):
            body += chunk
            if len(body) > limit_bytes:
                raise FileTooLarge(f"more than {limit_bytes} bytes")
    except (ClientError, TimeoutError) as error:
        # Without its cause, whose text holds the address, and the address holds the token.
        raise TelegramUnavailable(f"file: {type(error).__name__}") from None
    return bytes(body)


@contextmanager
def telegram_errors() -> Iterator[None]:
    """Raise our names for aiogram's exceptions, for calls of the bot made inside."""
    try:
        yield
    except TelegramRetryAfter as error:
        raise TooMany("Telegram asks for patience", retry_after_s=float(error.retry_after)) from error
    except TelegramEntityTooLarge as error:
        raise TelegramRefused("the file is too large") from error
    except (TelegramNetworkError, TelegramServerError, TelegramConflictError) as error:
        # Only the kind: what aiohttp says can hold the address, and the address holds the token.
        raise TelegramUnavailable(f"{type(error).__name__}: {error.message.split(':')[0][:80]}") from error
    except ClientDecodeError as error:
        raise TelegramUnavailable("the answer is not the Bot API's") from error
    except TelegramUnauthorizedError as error:
        raise TelegramUnavailable(
            "Telegram does not take the token: check STARBOOTH_TELEGRAM_TOKEN"
        ) from error
    except TelegramMigrateToChat as error:
        raise ChatMoved(error.migrate_to_chat_id) from error
    except TelegramForbiddenError as error:
        raise Blocked(error.message[:_REASON]) from error
    except TelegramAPIError as error:
        raise _refusal(error.message) from error


_REASON = 200
_BY_TEXT: tuple[tuple[str, type[Exception]], ...] = (
    ("message is not modified", NotModified),
    ("message to edit not found", MessageGone),
    ("message to delete not found", MessageGone),
    ("message can't be edited", MessageGone),
    ("message can't be deleted", MessageGone),
    ("message_id_invalid", MessageGone),
    ("there is no text in the message to edit", MessageGone),
    ("there is no caption in the message to edit", MessageGone),
    ("query is too old", TooLate),
    ("query_id_invalid", TooLate),
    ("file is too big", FileTooLarge),
    ("chat not found", Blocked),
    ("user is deactivated", Blocked),
    ("message thread not found", Blocked),
    ("topic_closed", Blocked),
    ("topic_deleted", Blocked),
    ("not enough rights to send", Blocked),
    ("chat_write_forbidden", Blocked),
    ("charge_already_refunded", AlreadyRefunded),
    ("charge_not_found", ChargeUnknown),
)


def _refusal(description: str) -> Exception:
    text = description.lower()
    for words, refusal in _BY_TEXT:
        if words in text:
            return refusal(description[:_REASON])
    return TelegramRefused(description[:_REASON])


async def answer_inline(
    bot: Bot,
    query_id: str,
    photos: Sequence[tuple[str, str, str]],
    *,
    next_offset: str,
    cache_s: int,
    button: InlineQueryResultsButton | None = None,
) -> None:
    """Offer these photos (an id of ours, Telegram's file id, a plain caption) to who asked, and nobody else.

    Safe to repeat; a query that is too old, or was answered before, is let go.
    Raises: TelegramRefused, TelegramUnavailable.
    """
    results: list[InlineQueryResultUnion] = [
        InlineQueryResultCachedPhoto(id=result_id, photo_file_id=file_id, caption=caption, parse_mode=None)
        for result_id, file_id, caption in photos
    ]
    try:
        with telegram_errors():
            await bot.answer_inline_query(
                query_id,
                results,
                cache_time=cache_s,
                is_personal=True,
                next_offset=next_offset,
                button=button,
            )
    except TooLate:
        return
