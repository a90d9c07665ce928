"""The schema `public` is the contract to the letter, as PostgreSQL's own catalogue tells it."""

from typing import Any

from sqlalchemy import text

from starbooth.base.database import Database
from tests.migrations.contract import (
    ENUMS,
    FOREIGN_KEYS,
    NAMED_INDEXES,
    PRIMARY_KEYS,
    TABLES,
    UNIQUE_INDEXES,
)

COLUMNS = """
    SELECT c.relname, a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
        || CASE WHEN a.attnotnull THEN '' ELSE '?' END
        || coalesce(' = ' || pg_get_expr(d.adbin, d.adrelid), '')
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
        AND NOT a.attisdropped
    ORDER BY c.relname, a.attnum
"""
ENUM_VALUES = """
    SELECT t.typname, array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
    FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid
    WHERE t.typnamespace = 'public'::regnamespace GROUP BY t.typname
"""
KEYS = """
    SELECT k.conname, c.relname, k.contype::text, k.confupdtype::text, k.confdeltype::text,
        coalesce(f.relname, ''), k.condeferrable, k.convalidated,
        (SELECT string_agg(a.attname, ',' ORDER BY n.place)
            FROM unnest(k.conkey) WITH ORDINALITY AS n (number, place)
            JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = n.number),
        (SELECT string_agg(a.attname, ',' ORDER BY n.place)
            FROM unnest(k.confkey) WITH ORDINALITY AS n (number, place)
            JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = n.number)
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_class f ON f.oid = k.confrelid
    WHERE k.connamespace = 'public'::regnamespace AND k.contype IN ('p', 'u', 'f', 'x')
"""
INDEXES = """
    SELECT i.relname, c.relname, x.indisunique, x.indisprimary, pg_get_indexdef(x.indexrelid)
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
    WHERE c.relnamespace = 'public'::regnamespace
"""
OTHER_THINGS = """
    SELECT relkind::text || ' ' || relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind NOT IN ('r', 'i')
    UNION ALL
    SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'type ' || typname FROM pg_type
        WHERE typnamespace = 'public'::regnamespace AND typtype NOT IN ('c', 'e', 'b')
"""


async def read(database: Database, query: str) -> list[Any]:
    async with database.transaction() as tx:
        return list(await tx.execute(text(query)))


def definition(index: str) -> str:
    """What an index is on, without its name and schema."""
    return index.split(" ON public.", 1)[1]


class TestPublicSchema:
    async def test_it_has_exactly_these_tables_with_these_columns_in_order(self, database: Database) -> None:
        found: dict[str, list[str]] = {}
        for table, column in await read(database, COLUMNS):
            found.setdefault(table, []).append(column)
        assert found == TABLES

    async def test_it_has_exactly_these_enums_with_their_values_in_order(self, database: Database) -> None:
        assert {name: list(values) for name, values in await read(database, ENUM_VALUES)} == ENUMS

    async def test_it_has_exactly_these_primary_keys(self, database: Database) -> None:
        found = {row[0]: (row[1], row[8]) for row in await read(database, KEYS) if row[2] == "p"}
        assert found == PRIMARY_KEYS

    async def test_it_has_exactly_these_foreign_keys_with_their_actions(self, database: Database) -> None:
        actions = {"r": "RESTRICT", "n": "SET NULL", "c": "CASCADE"}
        rows = [row for row in await read(database, KEYS) if row[2] == "f"]
        found = {row[0]: (row[1], row[8], row[5], actions.get(row[4], row[4])) for row in rows}
        assert found == FOREIGN_KEYS
        assert {actions.get(row[3], row[3]) for row in rows} == {"CASCADE"}
        assert {row[9] for row in rows} == {"id"}
        assert all(row[7] and not row[6] for row in rows)

    async def test_uniqueness_is_kept_by_indexes_of_prismas_names(self, database: Database) -> None:
        assert [row[0] for row in await read(database, KEYS) if row[2] in ("u", "x")] == []
        unique = {row[0]: (row[1], row[4]) for row in await read(database, INDEXES) if row[2] and not row[3]}
        for name, (table, column) in UNIQUE_INDEXES.items():
            found_table, found = unique.pop(name)
            assert (found_table, definition(found)) == (table, f'"{table}" USING btree ("{column}")')
        assert set(unique) == {"StarTransaction_key_idx"}

    async def test_the_seven_indexes_are_there_by_their_names(self, database: Database) -> None:
        plain = {row[0]: definition(row[4]) for row in await read(database, INDEXES) if not row[2]}
        assert {name: plain.get(name) for name in NAMED_INDEXES} == NAMED_INDEXES

    async def test_nothing_else_is_there_but_more_indexes(self, database: Database) -> None:
        assert [row[0] for row in await read(database, OTHER_THINGS)] == []

    async def test_a_key_of_a_movement_is_unique_by_index(self, database: Database) -> None:
        keys = [row[4] for row in await read(database, INDEXES) if row[0] == "StarTransaction_key_idx"]
        assert [definition(each) for each in keys] == [
            "\"StarTransaction\" USING btree (((metadata ->> 'key'::text)))"
            " WHERE ((metadata ->> 'key'::text) IS NOT NULL)"
        ]


class TestAnotherProgram:
    async def test_rows_written_with_only_what_the_contract_asks_for_are_taken(
        self, database: Database
    ) -> None:
        """What a Prisma client sends: ids and updatedAt of its own, everything else by default."""
        async with database.transaction() as tx:
            await tx.execute(
                text('INSERT INTO "User" ("id", "telegramId", "updatedAt") VALUES (\'cu\', \'7\', now())')
            )
            await tx.execute(text('INSERT INTO "BaseModel" ("id", "type") VALUES (\'cb\', \'FLUX\')'))
            await tx.execute(
                text(
                    'INSERT INTO "LoraModel"'
                    ' ("id", "name", "triggerWord", "baseModelId", "userId", "updatedAt")'
                    " VALUES ('cl', 'me', 'ohwx', 'cb', 'cu', now())"
                )
            )
            await tx.execute(
                text(
                    'INSERT INTO "Training" ("id", "loraId", "baseModelId", "userId", "imageUrls",'
                    ' "instancePrompt", "starsSpent")'
                    " VALUES ('ct', 'cl', 'cb', 'cu', ARRAY['a', 'b'], 'ohwx man', 5)"
                )
            )
            await tx.execute(
                text(
                    'INSERT INTO "Generation" ("id", "userId", "baseModelId", "loraId", "prompt", "imageUrl",'
                    ' "seed", "starsUsed")'
                    " VALUES ('cg', 'cu', 'cb', 'cl', 'p', 'u', 9223372036854775807, 1)"
                )
            )
            await tx.execute(
                text(
                    'INSERT INTO "StarTransaction" ("id", "userId", "amount", "type")'
                    " VALUES ('cs', 'cu', 5, 'BONUS')"
                )
            )
            lora = (await tx.execute(text('SELECT "type", "status", "starsRequired" FROM "LoraModel"'))).one()
            assert tuple(lora) == ("STYLE", "PENDING", 2)
            await tx.execute(text('DELETE FROM "Training"'))
            await tx.execute(text('DELETE FROM "LoraModel"'))
            assert await tx.scalar(text('SELECT "loraId" FROM "Generation"')) is None
