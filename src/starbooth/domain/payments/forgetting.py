"""What payments need not remember: whom an old comparison with Telegram's list named."""

from starbooth.base.database import Tx, sql


async def forget_old_differences(tx: Tx) -> None:
    """Reports of comparisons a month ago lose their differences, names of guests among them.

    That and when they were made stays, and the newest stays whole. Repeat: harmless.
    """
    await tx.execute(
        sql("""
            UPDATE starbooth.reconciliations SET report = jsonb_set(report, '{differences}', '[]')
            WHERE at < now() - interval '30 days' AND report -> 'differences' <> '[]'
                AND number < (SELECT max(number) FROM starbooth.reconciliations
                    WHERE report ->> 'is_begun_anew' IS NULL)
        """)
    )
