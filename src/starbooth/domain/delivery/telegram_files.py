"""What Telegram calls the pictures that it has shown: so named, they are shown again without an upload."""

from collections.abc import Sequence

from starbooth.base.database import Tx, sql


async def note_file_id(tx: Tx, file_key: str, file_id: str) -> None:
    """Remember Telegram's name of a stored picture. Repeat: the newest name stays."""
    await tx.execute(
        sql(
            "INSERT INTO starbooth.telegram_files (file_key, file_id) VALUES (:file_key, :file_id)"
            " ON CONFLICT (file_key) DO UPDATE SET file_id = excluded.file_id, noted_at = now()"
            " RETURNING set_config('synchronous_commit', 'off', true)"
        ),
        {"file_key": file_key, "file_id": file_id},
    )


async def read_file_ids(tx: Tx, file_keys: Sequence[str]) -> dict[str, str]:
    """Telegram's names of those stored pictures that have one, by their keys."""
    rows = await tx.execute(
        sql(
            "SELECT file_key, file_id FROM starbooth.telegram_files"
            " WHERE file_key = ANY (CAST(:file_keys AS text[]))"
        ),
        {"file_keys": list(file_keys)},
    )
    return {row.file_key: row.file_id for row in rows}


async def forget_file_ids(tx: Tx, file_keys: Sequence[str]) -> None:
    """Telegram's names of pictures that were deleted here are not ours to keep. Repeat: harmless."""
    await tx.execute(
        sql("DELETE FROM starbooth.telegram_files WHERE file_key = ANY (CAST(:file_keys AS text[]))"),
        {"file_keys": list(file_keys)},
    )
