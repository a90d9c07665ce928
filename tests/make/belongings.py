"""A guest of whom everything is kept that can be: for tests of what goes, and of what is handed out."""

# ruff: noqa: E501 - rows as they are

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.ids import new_id
from starbooth.domain.stars.ledger import credit_bonus
from starbooth.domain.users.guests import Guest, Language, meet
from tests.make.gallery import add_pictures
from tests.make.guests import make_guest
from tests.make.loras import make_lora
from tests.make.orders import place_pictures
from tests.make.payments import pay, payment_of
from tests.make.storage import MemoryStorage
from tests.make.trainings import make_photo_set, place_training

TELEGRAM_ID = 777_000_111_222
WORD = "quokkaneedle"  # stands in all that the guest wrote or was called
ORDER = f"c{0:024}"


@dataclass(frozen=True, kw_only=True)
class Everything:
    """The guest, and the ids of what is theirs."""

    guest: Guest
    some_id: str
    set_id: str
    lora_id: str
    order_id: str
    training_order_id: str


# In order: what is named by others first. Each may use the values of `_fill`.
_ROWS = (
    "INSERT INTO starbooth.remembered (user_id, choices) VALUES (:user_id, jsonb_build_object('negative', :word))",
    "INSERT INTO starbooth.presets (id, user_id, name, choices) VALUES (:id, :user_id, :word, '{}')",
    """INSERT INTO starbooth.photos (key, user_id, width_px, height_px, kept_until)
        VALUES ('photos/' || :id || '.jpg', :user_id, 64, 64, now() + interval '1 day')""",
    """INSERT INTO starbooth.drafts (id, user_id, chat_id, prompt, choices, photo_key, expires_at)
        VALUES (:id, :user_id, :chat_id, :word, '{}', 'photos/' || :id || '.jpg', now() + interval '1 day')""",
    """INSERT INTO starbooth.awaited (user_id, what, draft_id, expires_at)
        VALUES (:user_id, 'words', :id, now() + interval '1 day')""",
    """INSERT INTO starbooth.carts (id, user_id, request_key, request, price_stars, expires_at)
        VALUES (:id, :user_id, 'tg:' || CAST(:chat_id AS text) || ':9', jsonb_build_object('prompt', :word), 3,
            now() + interval '1 day')""",
    """INSERT INTO starbooth.galleries (user_id, request_key, words)
        VALUES (:user_id, 'tg:' || CAST(:chat_id AS text) || ':8', ARRAY[:word])""",
    """INSERT INTO starbooth.favourites (generation_id, user_id, picture_at)
        SELECT "id", "userId", "createdAt" FROM public."Generation" WHERE "userId" = :user_id LIMIT 1""",
    """INSERT INTO starbooth.prompt_refusals (user_id, request_key, cause, detail)
        VALUES (:user_id, 'tg:' || CAST(:chat_id AS text) || ':7', 'word', :word)""",
    "INSERT INTO starbooth.guest_turns (user_id, kind, key) VALUES (:user_id, 'original', CAST(:chat_id AS text))",
    "INSERT INTO starbooth.referral_codes (user_id, code) VALUES (:user_id, '0123456789abcdef')",
    "INSERT INTO starbooth.gift_news (key, user_id, kind, amount_stars) VALUES (:id, :user_id, 'friend', 5)",
    """INSERT INTO starbooth.promo_codes (code, amount_stars, most_claims, claims, operator)
        VALUES ('QUOKKA', 5, 9, 1, 'command:boss')""",
    """INSERT INTO starbooth.promo_claims (code, user_id, request_key)
        VALUES ('QUOKKA', :user_id, 'tg:' || CAST(:chat_id AS text) || ':6')""",
    """UPDATE starbooth.training_orders SET sample_key = 'models/' || lora_id || '/sample-1.jpg'""",
    """INSERT INTO starbooth.exports (id, user_id, chat_id, language, state, key, size_bytes)
        VALUES (:id, :user_id, :chat_id, 'en', 'sent', 'exports/' || :id || '.zip', 3)""",
    "INSERT INTO starbooth.makers (user_id, shows, pen_name) VALUES (:user_id, 'pen_name', :word)",
    "INSERT INTO starbooth.model_favourites (user_id, lora_id) VALUES (:user_id, :other_lora_id)",
    "UPDATE starbooth.model_cards SET favourites = 1 WHERE lora_id = :other_lora_id",
    """INSERT INTO starbooth.model_reports (lora_id, user_id, reason)
        VALUES (:other_lora_id, :user_id, 'stolen')""",
    """INSERT INTO starbooth.model_lists (user_id, request_key, words)
        VALUES (:user_id, 'tg:' || CAST(:chat_id AS text) || ':5', ARRAY[:word])""",
    """INSERT INTO starbooth.model_news (user_id, kind, facts)
        VALUES (:user_id, 'hidden', jsonb_build_object('name', :word))""",
    """INSERT INTO starbooth.inbox (update_id, chat_key, body, state)
        VALUES (1, CAST(:chat_id AS text), jsonb_build_object('text', :word), 'failed'),
            (2, '-100:' || CAST(:chat_id AS text), '{}', 'handled'),
            (3, 'user:' || CAST(:chat_id AS text), '{}', 'handled')""",
    """INSERT INTO starbooth.alerts (key, kind, facts) VALUES ('one', 'support',
        jsonb_build_object('telegram_id', CAST(:chat_id AS bigint), 'text', :word, 'username', :word))""",
    """INSERT INTO starbooth.alerts (key, kind, facts, sent_at) VALUES ('two', 'payment_flagged',
        jsonb_build_object('telegram_id', CAST(:chat_id AS bigint), 'username', :word), now())""",
    """INSERT INTO starbooth.telegram_files (file_key, file_id) VALUES ('pictures/' || :order || '/0.png', :word)""",
    """INSERT INTO starbooth.telegram_transactions
            (id, direction, amount_xtr, at, partner, telegram_id, body)
        VALUES (:id, 'in', 50, now(), 'user', :chat_id, jsonb_build_object('source', jsonb_build_object(
            'type', 'user', 'user', jsonb_build_object('id', CAST(:chat_id AS bigint), 'username', :word))))""",
)
_FILES = ("photos/{id}.jpg", "exports/{id}.zip")


async def give_everything(database: Database, storage: MemoryStorage) -> Everything:
    """A guest with pictures, a model, photos, wishes, gifts, a payment and an order in the works."""
    async with database.transaction() as tx:
        guest = await meet(
            tx, telegram_id=TELEGRAM_ID, chat_id=TELEGRAM_ID, username=WORD, language=Language.SPANISH
        )
        await credit_bonus(
            tx, user_id=guest.user_id, amount=20, key=f"welcome:{TELEGRAM_ID}", facts={"reason": "welcome"}
        )
        await credit_bonus(
            tx,
            user_id=guest.user_id,
            amount=5,
            key=f"promo:QUOKKA:{guest.user_id}",
            facts={"reason": "promo", "code": "QUOKKA", "asked": f"tg:{TELEGRAM_ID}:6"},
        )
    await pay(database, payment_of(telegram_id=TELEGRAM_ID))
    await add_pictures(database, guest.user_id, [f"a {WORD}"] * 3)
    lora_id = await make_lora(database, guest.user_id, name=WORD, trigger_word=WORD)
    other_lora_id = await make_lora(database, await make_guest(database), is_public=True)
    placed = await place_pictures(
        database, guest.user_id, prompt=f"a {WORD}", request_key=f"tg:{TELEGRAM_ID}:4"
    )
    set_id = await make_photo_set(database, guest.user_id, storage, name=WORD, trigger_word=WORD)
    training = await place_training(database, guest.user_id, set_id, request_key=f"tg:{TELEGRAM_ID}:3")
    everything = Everything(
        guest=guest,
        some_id=new_id(),
        set_id=set_id,
        lora_id=lora_id,
        order_id=placed.order_id,
        training_order_id=training.order_id,
    )
    await _fill(database, everything, other_lora_id)
    await _store(database, storage, everything, other_lora_id)
    return everything


async def _fill(database: Database, everything: Everything, other_lora_id: str) -> None:
    values: dict[str, Any] = {
        "id": everything.some_id,
        "user_id": everything.guest.user_id,
        "chat_id": TELEGRAM_ID,
        "word": WORD,
        "other_lora_id": other_lora_id,
        "order": ORDER,
    }
    async with database.transaction() as tx:
        for statement in _ROWS:
            await tx.exec_driver_sql(_spelled(statement, values))


def _spelled(statement: str, values: dict[str, Any]) -> str:
    """The statement with these values in it, so that none of them needs a cast."""
    for name in sorted(values, key=len, reverse=True):
        value = values[name]
        statement = statement.replace(f":{name}", str(value) if isinstance(value, int) else f"'{value}'")
    return statement


async def _store(
    database: Database, storage: MemoryStorage, everything: Everything, other_lora_id: str
) -> None:
    keys = [form.format(id=everything.some_id) for form in _FILES]
    async with database.transaction() as tx:
        keys += (await tx.execute(text("SELECT sample_key FROM starbooth.training_orders"))).scalars()
    keys += [f"loras/{everything.lora_id}", f"loras/{other_lora_id}"]
    for number in range(3):
        keys += [f"pictures/c{number:024}/0.png", f"thumbnails/c{number:024}/0.jpg"]
    for key in keys:
        await storage.put(key, b"abc", "image/jpeg")


async def dump(database: Database) -> dict[str, list[str]]:
    """Every row of every table, as text, by the table's name. Tables of the job queue are left out."""
    async with database.transaction() as tx:
        names = await tx.execute(
            text("""
                SELECT schemaname || '."' || tablename || '"' FROM pg_tables
                WHERE schemaname IN ('public', 'starbooth') AND tablename NOT LIKE 'pgqueuer%'
            """)
        )
        return {
            name: list((await tx.execute(text(f"SELECT CAST(t AS text) FROM {name} t"))).scalars())
            for name in names.scalars().all()
        }


def rows_with(rows: dict[str, list[str]], *needles: str) -> dict[str, list[str]]:
    """The rows in which one of these stands."""
    found = {
        name: [row for row in some if any(each in row for each in needles)] for name, some in rows.items()
    }
    return {name: some for name, some in found.items() if some}
