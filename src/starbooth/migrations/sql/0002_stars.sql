-- The rules of stars, kept by the database itself: what may never change in the ledger, and the movements.
-- Every movement locks the account first and the ledger row second, so two movements cannot deadlock.

CREATE FUNCTION starbooth.guard_ledger_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW."id", NEW."userId", NEW."amount", NEW."type", NEW."createdAt", NEW."metadata" ->> 'key',
        NEW."metadata" ->> 'refundOf')
       IS DISTINCT FROM
       (OLD."id", OLD."userId", OLD."amount", OLD."type", OLD."createdAt", OLD."metadata" ->> 'key',
        OLD."metadata" ->> 'refundOf') THEN
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
    ) THEN
        RAISE EXCEPTION 'ledger row %: a % may not go from % to %', OLD."id", OLD."type", OLD."status", NEW."status"
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION starbooth.refuse_ledger_removal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger rows are never removed'
        USING ERRCODE = 'integrity_constraint_violation', HINT = 'Correct a mistake with a new row.';
END $$;

CREATE TRIGGER guard_ledger_row BEFORE UPDATE ON public."StarTransaction"
    FOR EACH ROW EXECUTE FUNCTION starbooth.guard_ledger_row();
CREATE TRIGGER refuse_ledger_delete BEFORE DELETE ON public."StarTransaction"
    FOR EACH ROW EXECUTE FUNCTION starbooth.refuse_ledger_removal();
CREATE TRIGGER refuse_ledger_truncate BEFORE TRUNCATE ON public."StarTransaction"
    FOR EACH STATEMENT EXECUTE FUNCTION starbooth.refuse_ledger_removal();

-- What a movement answers: outcome is moved, repeated, or the name of the refusal; the row that it is about;
-- the balance as it stands after it.
CREATE TYPE starbooth.movement AS (outcome text, transaction_id text, balance integer);

CREATE FUNCTION starbooth.move_stars(
    _id text, _user_id text, _amount integer, _type public."TransactionType",
    _status public."TransactionStatus", _key text, _facts jsonb
) RETURNS starbooth.movement LANGUAGE plpgsql AS $$
DECLARE
    _balance integer;
    _metadata jsonb := _facts || jsonb_build_object('key', _key);
    _earlier public."StarTransaction";
BEGIN
    SELECT "stars" INTO _balance FROM public."User" WHERE "id" = _user_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN ROW('no_account', NULL, NULL)::starbooth.movement;
    END IF;
    SELECT * INTO _earlier FROM public."StarTransaction" WHERE metadata ->> 'key' = _key;
    IF FOUND THEN
        IF (_earlier."userId", _earlier."amount", _earlier."type", _earlier."metadata")
           IS NOT DISTINCT FROM (_user_id, _amount, _type, _metadata) THEN
            RETURN ROW('repeated', _earlier."id", _balance)::starbooth.movement;
        END IF;
        RETURN ROW('key_reused', _earlier."id", _balance)::starbooth.movement;
    END IF;
    IF _amount < 0 AND _balance::bigint + _amount < 0 THEN
        RETURN ROW('not_enough', NULL, _balance)::starbooth.movement;
    END IF;
    IF _balance::bigint + _amount > 2147483647 THEN
        RETURN ROW('too_many', NULL, _balance)::starbooth.movement;
    END IF;
    INSERT INTO public."StarTransaction" ("id", "userId", "amount", "type", "status", "metadata")
        VALUES (_id, _user_id, _amount, _type, _status, _metadata)
        ON CONFLICT ((metadata ->> 'key')) WHERE metadata ->> 'key' IS NOT NULL DO NOTHING;
    IF NOT FOUND THEN
        -- Another account used the key in this very moment; the lock of ours could not keep it away.
        SELECT * INTO _earlier FROM public."StarTransaction" WHERE metadata ->> 'key' = _key;
        RETURN ROW('key_reused', _earlier."id", _balance)::starbooth.movement;
    END IF;
    UPDATE public."User"
        SET "stars" = "stars" + _amount, "updatedAt" = timezone('UTC', clock_timestamp())
        WHERE "id" = _user_id;
    RETURN ROW('moved', _id, _balance + _amount)::starbooth.movement;
END $$;

CREATE FUNCTION starbooth.end_hold(_refund_id text, _hold_id text, _spent integer, _facts jsonb)
RETURNS starbooth.movement LANGUAGE plpgsql AS $$
DECLARE
    _hold public."StarTransaction";
    _user_id text;
    _balance integer;
    _returned integer;
    _ending public."TransactionStatus";
BEGIN
    SELECT "userId" INTO _user_id FROM public."StarTransaction" WHERE "id" = _hold_id;
    IF NOT FOUND THEN
        RETURN ROW('no_hold', NULL, NULL)::starbooth.movement;
    END IF;
    SELECT "stars" INTO _balance FROM public."User" WHERE "id" = _user_id FOR NO KEY UPDATE;
    SELECT * INTO _hold FROM public."StarTransaction" WHERE "id" = _hold_id;
    IF _hold."type" NOT IN ('GENERATION', 'TRAINING') THEN
        RETURN ROW('no_hold', NULL, _balance)::starbooth.movement;
    END IF;
    -- A hold of nothing (a free order) is spent whole by spending nothing.
    _ending := CASE WHEN _spent = 0 AND _hold."amount" < 0 THEN 'REFUNDED' ELSE 'COMPLETED' END;
    IF _hold."status" <> 'PENDING' THEN
        SELECT coalesce(sum("amount"), 0) INTO _returned FROM public."StarTransaction"
            WHERE metadata ->> 'refundOf' = _hold_id;
        IF _hold."status" = _ending AND _returned = -_hold."amount" - _spent THEN
            RETURN ROW('repeated', _hold_id, _balance)::starbooth.movement;
        END IF;
        RETURN ROW('ended_otherwise', _hold_id, _balance)::starbooth.movement;
    END IF;
    _returned := -_hold."amount" - _spent;
    IF _spent < 0 OR _returned < 0 THEN
        RETURN ROW('more_than_held', _hold_id, _balance)::starbooth.movement;
    END IF;
    UPDATE public."StarTransaction" SET "status" = _ending WHERE "id" = _hold_id;
    IF _returned > 0 THEN
        INSERT INTO public."StarTransaction" ("id", "userId", "amount", "type", "status", "metadata")
            VALUES (_refund_id, _user_id, _returned, 'REFUND', 'COMPLETED', _facts
                || jsonb_build_object('key', 'refund:' || _hold_id, 'refundOf', _hold_id));
    END IF;
    UPDATE public."User"
        SET "stars" = "stars" + _returned, "totalSpentStars" = "totalSpentStars" + _spent,
            "updatedAt" = timezone('UTC', clock_timestamp())
        WHERE "id" = _user_id;
    RETURN ROW('moved', _hold_id, _balance + _returned)::starbooth.movement;
END $$;
