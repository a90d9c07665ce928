"""What every handler works with: the database, the bot, what the operator decided, and the chat's manners."""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from dataclasses import dataclass
from typing import TypedDict

from aiogram import Bot
from aiogram.types import CallbackQuery, Message, User

from starbooth.base.database import Database, Tx
from starbooth.base.errors import Refusal
from starbooth.domain.catalog.offers import default_offer
from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.generations.checking import PromptCheck, check_prompt
from starbooth.domain.generations.errors import StarsMissing
from starbooth.domain.generations.request import PictureRequest
from starbooth.domain.gifts.before import WELCOME, was_given
from starbooth.domain.orders.cart import remember
from starbooth.domain.prompts.errors import PromptRefused
from starbooth.domain.prompts.gate import note_refusal
from starbooth.domain.stars import ledger
from starbooth.domain.stars.errors import KeyReused, NotEnoughStars
from starbooth.domain.studio.drafts import put_into_cart
from starbooth.domain.trainings.errors import TrainingStarsMissing
from starbooth.domain.users.guests import Guest, Language, find_met, language_for, meet
from starbooth.doors.bot import answers, paying_screens
from starbooth.doors.bot.messenger import BotMessenger
from starbooth.doors.bot.presses import Pressed
from starbooth.doors.bot.terms import Terms
from starbooth.doors.bot.words import Words, words_for
from starbooth.outside.storage.contract import Storage


@dataclass(frozen=True, kw_only=True)
class Met:
    """A guest in a chat. `gift_stars` is what they were given in this very handling; `stars` counts it."""

    guest: Guest
    stars: int
    gift_stars: int
    words: Words


class Desk:
    """Shared by the handlers of one bot. Keeps nothing from one update to the next."""

    def __init__(
        self,
        database: Database,
        bot: Bot,
        terms: Terms,
        prompt_check: PromptCheck | None = None,
        *,
        storage: Storage | None = None,
    ) -> None:
        """storage: where files lie; None for a bot that is sent none."""
        self.database, self.bot, self.terms = database, bot, terms
        self._prompt_check = prompt_check
        self.messenger = BotMessenger(bot)
        self._storage = storage

    @property
    def storage(self) -> Storage:
        """Where files lie."""
        assert self._storage is not None, "this bot was opened without a storage"
        return self._storage

    def is_operator(self, person: User | None) -> bool:
        """Whether this person runs the booth. Telegram vouches for who writes."""
        return person is not None and person.id in self.terms.operators

    async def meet(self, person: User | None, *, is_start: bool = False, is_elsewhere: bool = False) -> Met:
        """Know the guest and give the welcome gift, committed at once: no later refusal takes it back.

        is_elsewhere: they write in a group, and may never have opened the private chat; then the gift waits
        for a start, which an order is.
        """
        assert person is not None  # a private chat always has one
        async with self.database.statement() as tx:
            known = None if is_start else await find_met(tx, **_facts_of(person))
        if known is not None:
            return Met(guest=known, stars=known.stars, gift_stars=0, words=words_for(known.language))
        async with self.database.transaction() as tx:
            guest = await _meet(tx, person, is_elsewhere=is_elsewhere)
            gift = await self._welcome(tx, guest) if is_start or (guest.is_new and not is_elsewhere) else None
        return Met(
            guest=guest,
            stars=gift.balance_stars if gift else guest.stars,
            gift_stars=self.terms.welcome_stars if gift and not gift.is_repeat else 0,
            words=words_for(guest.language),
        )

    async def _welcome(self, tx: Tx, guest: Guest) -> ledger.Movement | None:
        """The gift; None where the operator gives none, or gave one to this person before."""
        if not self.terms.welcome_stars or await self.had_before(tx, WELCOME, guest):
            return None
        try:
            return await ledger.credit_bonus(
                tx,
                user_id=guest.user_id,
                amount=self.terms.welcome_stars,
                key=f"welcome:{guest.telegram_id}",
                facts={"reason": "welcome"},
            )
        except KeyReused:
            return None

    async def had_before(self, tx: Tx, gift: str, guest: Guest) -> bool:
        """Whether this person had the gift under an account that they deleted since."""
        marks = self.terms.marks
        return marks is not None and await was_given(tx, marks.of(gift, guest.telegram_id))

    async def send(
        self, screen: Screen, *, chat_id: int, reply_to: int | None = None, thread_id: int | None = None
    ) -> int:
        """Send a screen as a new message and return its id. Not safe to repeat."""
        return await self.messenger.send_text(
            screen, chat_id=chat_id, reply_to_message_id=reply_to, thread_id=thread_id
        )

    async def refuse(self, refusal: Refusal, words: Words, message: Message) -> None:
        """Word an expected no, as a reply to the message that asked."""
        await self.count_refusal(refusal)
        if isinstance(refusal, NotEnoughStars):
            screen = await self.word_shortage(refusal, words)
        else:
            screen = Screen(html=str(answers.word_refusal(refusal, words)))
        await self.send(screen, chat_id=message.chat.id, reply_to=message.message_id)

    @property
    def has_prompt_check(self) -> bool:
        """Whether the operator has a checker of prompts."""
        return self._prompt_check is not None

    async def check_prompt(self, ask: PictureRequest) -> None:
        """Have the operator's checker look at the words, before the transaction that orders them.

        Repeat: harmless. Raises: what `generations.checking.check_prompt` raises.
        """
        await check_prompt(self.database, self._prompt_check, ask, limits=self.terms.limits)

    async def count_refusal(self, refusal: Refusal) -> None:
        """Remember that a guest's words were refused; any other no is not counted. Repeat: counted once."""
        if isinstance(refusal, PromptRefused):
            async with self.database.transaction() as tx:
                await note_refusal(tx, refusal)

    async def word_shortage(self, refusal: NotEnoughStars, words: Words) -> Screen:
        """Remember what was wanted, in a transaction of its own, and offer the stars for it.

        Repeat: harmless, what is wanted is remembered once.
        """
        async with self.database.transaction() as tx:
            price_stars = (await default_offer(tx)).price_stars
            if isinstance(refusal, StarsMissing | TrainingStarsMissing):
                await remember(tx, refusal.wish, life=self.terms.invoice_life)
        return self._short(refusal, words, price_stars=price_stars)

    async def word_shortage_of_draft(
        self, refusal: StarsMissing, words: Words, draft_id: str, change: Button
    ) -> Screen:
        """`word_shortage` for what was put together in a panel: the draft goes into the cart, and can be
        changed by the button. Repeat: harmless."""
        async with self.database.transaction() as tx:
            price_stars = (await default_offer(tx)).price_stars
            await put_into_cart(tx, draft_id, refusal.wish, life=self.terms.invoice_life)
        return self._short(refusal, words, price_stars=price_stars, change=change)

    def _short(
        self, refusal: NotEnoughStars, words: Words, *, price_stars: int, change: Button | None = None
    ) -> Screen:
        return paying_screens.render_short(
            words,
            self.terms,
            answers.word_refusal(refusal, words),
            price_stars=price_stars,
            is_kept=isinstance(refusal, StarsMissing | TrainingStarsMissing),
            change=change,
        )

    async def answer(self, query: CallbackQuery, pressed: Pressed) -> None:
        """Send what a press brought, and answer the press."""
        if pressed.screen is not None:
            await self.send(pressed.screen, chat_id=query.from_user.id)
        await self.messenger.answer_press(query.id, pressed.toast, is_alert=pressed.is_alert)


def words_of(person: User | None) -> Words:
    """The texts in this person's language."""
    return words_for(language_for(person.language_code if person else None))


async def meet_in_private(tx: Tx, person: User) -> Guest:
    """Meet in the private chat, whose id is the person's."""
    return await _meet(tx, person, is_elsewhere=False)


async def _meet(tx: Tx, person: User, *, is_elsewhere: bool) -> Guest:
    return await meet(tx, **_facts_of(person), is_elsewhere=is_elsewhere)


class _Facts(TypedDict):
    telegram_id: int
    chat_id: int
    username: str | None
    language: Language


def _facts_of(person: User) -> _Facts:
    return _Facts(
        telegram_id=person.id,
        chat_id=person.id,
        username=person.username,
        language=language_for(person.language_code),
    )
