-- Private for real: files that nobody names are found, accounts go for good, and guests get all that is kept of them.

-- One comparison of storage with the database; the newest tells when the next is due.
CREATE TABLE starbooth.storage_sweeps (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    began_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    files bigint,
    size_bytes bigint,
    strays integer,
    deleted integer,
    lost integer
);
CREATE INDEX storage_sweeps_newest_idx ON starbooth.storage_sweeps (began_at DESC);

-- An account that its guest deleted. From this row on, its `User` row bears a name that tells nothing. chat_id and
-- language: to say good-bye, gone once that is done. The work: erased_at is null while there is some left.
CREATE TABLE starbooth.farewells (
    user_id text PRIMARY KEY REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    chat_id bigint,
    language text,
    asked_at timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz NOT NULL DEFAULT now(),
    tries integer NOT NULL DEFAULT 0,
    erased_at timestamptz,
    told_at timestamptz,
    CHECK (told_at IS NULL OR erased_at IS NOT NULL),
    CHECK ((told_at IS NULL) = (chat_id IS NOT NULL)),
    CHECK ((chat_id IS NULL) = (language IS NULL))
);
CREATE INDEX farewells_due_idx ON starbooth.farewells (due_at) WHERE told_at IS NULL;

-- Gifts that go to a person once, and went to one who deleted their account since. A mark is a keyed hash of the
-- person and the gift: it shows that they come back, and neither who they are nor which account was theirs.
CREATE TABLE starbooth.given_before (
    mark text PRIMARY KEY CHECK (length(mark) = 64)
);

-- All that is kept of a guest, as a file for them. key: the file, while there is one.
CREATE TABLE starbooth.exports (
    id text PRIMARY KEY,
    user_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    chat_id bigint NOT NULL,
    language text NOT NULL,
    state text NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'ready', 'sent', 'gone')),
    key text UNIQUE,
    size_bytes bigint,
    tries integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    asked_at timestamptz NOT NULL DEFAULT now(),
    ready_at timestamptz,
    CHECK ((state IN ('ready', 'sent')) = (key IS NOT NULL)),
    CHECK ((key IS NULL) = (size_bytes IS NULL))
);
CREATE UNIQUE INDEX exports_open_idx ON starbooth.exports (user_id) WHERE state IN ('asked', 'ready');
CREATE INDEX exports_due_idx ON starbooth.exports (due_at) WHERE state <> 'gone';
CREATE INDEX exports_of_guest_idx ON starbooth.exports (user_id, asked_at DESC);

-- As before, and the welcome gift of an account that is deleted may let go of the Telegram id in its key.
CREATE OR REPLACE FUNCTION starbooth.guard_ledger_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW."id", NEW."userId", NEW."amount", NEW."type", NEW."createdAt", NEW."metadata" ->> 'refundOf')
       IS DISTINCT FROM
       (OLD."id", OLD."userId", OLD."amount", OLD."type", OLD."createdAt", OLD."metadata" ->> 'refundOf')
       OR NEW."metadata" ->> 'key' IS DISTINCT FROM OLD."metadata" ->> 'key'
       AND (OLD."metadata" ->> 'key' LIKE 'welcome:%' AND NEW."metadata" ->> 'key' = 'welcome:' || OLD."userId"
            AND EXISTS (SELECT FROM starbooth.farewells WHERE user_id = OLD."userId")) IS NOT TRUE THEN
        RAISE EXCEPTION 'ledger row % may not change its id, owner, amount, type, time or key', OLD."id"
            USING ERRCODE = 'integrity_constraint_violation',
                  HINT = 'Correct a mistake with a new row.';
    END IF;
    IF OLD."telegramPaymentChargeId" IS NOT NULL
       AND NEW."telegramPaymentChargeId" IS DISTINCT FROM OLD."telegramPaymentChargeId" THEN
        RAISE EXCEPTION 'ledger row % may not change its charge id', OLD."id"
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF OLD."status" <> NEW."status" AND NOT (
        (OLD."type" IN ('GENERATION', 'TRAINING') AND OLD."status" = 'PENDING'
            AND NEW."status" IN ('COMPLETED', 'REFUNDED'))
        OR (OLD."type" = 'PURCHASE' AND OLD."status" = 'PENDING' AND NEW."status" IN ('COMPLETED', 'FAILED'))
        OR (OLD."type" = 'PURCHASE' AND OLD."status" = 'COMPLETED' AND NEW."status" = 'REFUNDED')
        OR (OLD."type" = 'REFUND' AND OLD."status" = 'PENDING' AND NEW."status" IN ('COMPLETED', 'FAILED'))
    ) THEN
        RAISE EXCEPTION 'ledger row %: a % may not go from % to %', OLD."id", OLD."type", OLD."status", NEW."status"
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
