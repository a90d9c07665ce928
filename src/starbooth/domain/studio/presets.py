"""Presets: choices under a name of the guest's own. A few each; saving under a known name replaces it."""

import json
from dataclasses import dataclass

from starbooth.base.database import Tx, sql
from starbooth.base.ids import new_id
from starbooth.domain.generations.choices import Choices, read_choices
from starbooth.domain.generations.request import clean_words
from starbooth.domain.studio.errors import NoSuchPreset, PresetNameRefused, PresetsFull

MOST_PRESETS = 10
LONGEST_NAME = 32

_LOCK = sql('SELECT 1 FROM public."User" WHERE "id" = :user_id FOR NO KEY UPDATE')
_SAVE = sql("""
    INSERT INTO starbooth.presets (id, user_id, name, choices)
    SELECT :id, :user_id, :name, CAST(:choices AS jsonb)
    WHERE (SELECT count(*) FROM starbooth.presets WHERE user_id = :user_id AND name <> :name) < :most
    ON CONFLICT (user_id, name) DO UPDATE SET choices = excluded.choices, saved_at = now()
    RETURNING id
""")


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Choices under a name."""

    preset_id: str
    name: str
    choices: Choices


def clean_name(name: str) -> str:
    """The name on one line, without control characters. Raises: PresetNameRefused."""
    kept = " ".join(clean_words(name).split())
    if not 1 <= len(kept) <= LONGEST_NAME:
        raise PresetNameRefused(limit=LONGEST_NAME)
    return kept


async def save_preset(tx: Tx, name: str, choices: Choices, *, user_id: str) -> Preset:
    """Keep these choices under this name, in place of what it stood for.

    Locks: the guest's account. Repeat: harmless. Raises: PresetNameRefused, PresetsFull.
    """
    kept = clean_name(name)
    await tx.execute(_LOCK, {"user_id": user_id})
    facts = {"id": new_id(), "user_id": user_id, "name": kept, "most": MOST_PRESETS}
    preset_id = await tx.scalar(_SAVE, {**facts, "choices": json.dumps(choices.to_json())})
    if preset_id is None:
        raise PresetsFull(limit=MOST_PRESETS)
    return Preset(preset_id=preset_id, name=kept, choices=choices)


async def list_presets(tx: Tx, *, user_id: str) -> list[Preset]:
    """This guest's presets, by name."""
    rows = await tx.execute(
        sql("SELECT id, name, choices FROM starbooth.presets WHERE user_id = :user_id ORDER BY name, id"),
        {"user_id": user_id},
    )
    return [Preset(preset_id=row.id, name=row.name, choices=read_choices(row.choices)) for row in rows]


async def read_preset(tx: Tx, preset_id: str, *, user_id: str) -> Preset:
    """One of this guest's presets. Raises: NoSuchPreset, also for somebody else's."""
    found = [each for each in await list_presets(tx, user_id=user_id) if each.preset_id == preset_id]
    if not found:
        raise NoSuchPreset
    return found[0]


async def delete_preset(tx: Tx, preset_id: str, *, user_id: str) -> None:
    """Let one of this guest's presets go. Repeat: harmless."""
    await tx.execute(
        sql("DELETE FROM starbooth.presets WHERE id = :id AND user_id = :user_id"),
        {"id": preset_id, "user_id": user_id},
    )
