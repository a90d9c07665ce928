-- Paying: what a purchase may become, refunds that are under way, what Telegram says it did, and the gifts.
-- Every movement locks the account first and the ledger row second, as those of the release before do.

-- As before, and a REFUND of a purchase may wait for Telegram: its stars are away, it ends well or not at all.
CREATE OR REPLACE FUNCTION starbooth.guard_ledger_row() RETURNS trigger LANGUAGE plpgsql AS $$
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
        OR (OLD."type" = 'REFUND' AND OLD."status" = 'PENDING' AND NEW."status" IN ('COMPLETED', 'FAILED'))
    ) THEN
        RAISE EXCEPTION 'ledger row %: a % may not go from % to %', OLD."id", OLD."type", OLD."status", NEW."status"
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

-- A PURCHASE +n PENDING: an invoice is out. It does not count, so the account is neither read nor locked.
CREATE FUNCTION starbooth.open_purchase(_id text, _user_id text, _amount integer, _key text, _facts jsonb)
RETURNS starbooth.movement LANGUAGE plpgsql AS $$
DECLARE
    _balance integer;
    _metadata jsonb := _facts || jsonb_build_object('key', _key);
    _earlier public."StarTransaction";
BEGIN
    SELECT "stars" INTO _balance FROM public."User" WHERE "id" = _user_id;
    IF NOT FOUND THEN
        RETURN ROW('no_account', NULL, NULL)::starbooth.movement;
    END IF;
    INSERT INTO public."StarTransaction" ("id", "userId", "amount", "type", "status", "metadata")
        VALUES (_id, _user_id, _amount, 'PURCHASE', 'PENDING', _metadata)
        ON CONFLICT ((metadata ->> 'key')) WHERE metadata ->> 'key' IS NOT NULL DO NOTHING;
    IF FOUND THEN
        RETURN ROW('moved', _id, _balance)::starbooth.movement;
    END IF;
    SELECT * INTO _earlier FROM public."StarTransaction" WHERE metadata ->> 'key' = _key;
    -- What a payment added to the facts since is no other wish.
    IF (_earlier."userId", _earlier."amount", _earlier."type") = (_user_id, _amount, 'PURCHASE')
       AND _earlier."metadata" @> _metadata THEN
        RETURN ROW('repeated', _earlier."id", _balance)::starbooth.movement;
    END IF;
    RETURN ROW('key_reused', _earlier."id", _balance)::starbooth.movement;
END $$;

-- A payment came. It ends the purchase that it was for, if that one waits and is this account's and of this
-- amount; else it is a PURCHASE row of its own. The charge id is the key: no charge counts twice.
CREATE FUNCTION starbooth.credit_payment(
    _id text, _user_id text, _amount integer, _charge_id text, _purchase_id text, _facts jsonb
) RETURNS starbooth.movement LANGUAGE plpgsql AS $$
DECLARE
    _balance integer;
    _earlier public."StarTransaction";
    _credited text;
BEGIN
    -- Two accounts may come with one charge in the same moment; neither's own lock would show it the other.
    PERFORM pg_advisory_xact_lock(hashtextextended('charge:' || _charge_id, 0));
    SELECT "stars" INTO _balance FROM public."User" WHERE "id" = _user_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN ROW('no_account', NULL, NULL)::starbooth.movement;
    END IF;
    SELECT * INTO _earlier FROM public."StarTransaction" WHERE "telegramPaymentChargeId" = _charge_id;
    IF FOUND THEN
        IF _earlier."userId" = _user_id AND _earlier."type" = 'PURCHASE' THEN
            RETURN ROW('repeated', _earlier."id", _balance)::starbooth.movement;
        END IF;
        RETURN ROW('key_reused', _earlier."id", _balance)::starbooth.movement;
    END IF;
    IF _balance::bigint + _amount > 2147483647 THEN
        RETURN ROW('too_many', NULL, _balance)::starbooth.movement;
    END IF;
    UPDATE public."StarTransaction"
        SET "status" = 'COMPLETED', "telegramPaymentChargeId" = _charge_id,
            "metadata" = "metadata" || (_facts - 'key' - 'refundOf')
        WHERE "id" = _purchase_id AND "userId" = _user_id AND "type" = 'PURCHASE' AND "status" = 'PENDING'
            AND "amount" = _amount
        RETURNING "id" INTO _credited;
    IF NOT FOUND THEN
        INSERT INTO public."StarTransaction"
            ("id", "userId", "amount", "type", "status", "telegramPaymentChargeId", "metadata")
            VALUES (_id, _user_id, _amount, 'PURCHASE', 'COMPLETED', _charge_id,
                _facts || jsonb_build_object('key', 'charge:' || _charge_id))
            ON CONFLICT DO NOTHING
            RETURNING "id" INTO _credited;
        IF NOT FOUND THEN
            -- Something else bears the key of this charge.
            RETURN ROW('key_reused', NULL, _balance)::starbooth.movement;
        END IF;
    END IF;
    UPDATE public."User"
        SET "stars" = "stars" + _amount, "totalBoughtStars" = "totalBoughtStars" + _amount,
            "updatedAt" = timezone('UTC', clock_timestamp())
        WHERE "id" = _user_id;
    RETURN ROW('moved', _credited, _balance + _amount)::starbooth.movement;
END $$;

-- A refund through Telegram begins: its stars leave at once as REFUND -n PENDING, so that nobody spends them
-- while Telegram is asked. One at a time; a new one may begin after one that failed.
CREATE FUNCTION starbooth.begin_refund(_refund_id text, _purchase_id text, _may_go_below boolean, _facts jsonb)
RETURNS starbooth.movement LANGUAGE plpgsql AS $$
DECLARE
    _purchase public."StarTransaction";
    _balance integer;
    _earlier text;
BEGIN
    SELECT * INTO _purchase FROM public."StarTransaction" WHERE "id" = _purchase_id AND "type" = 'PURCHASE';
    IF NOT FOUND THEN
        RETURN ROW('no_purchase', NULL, NULL)::starbooth.movement;
    END IF;
    SELECT "stars" INTO _balance FROM public."User" WHERE "id" = _purchase."userId" FOR NO KEY UPDATE;
    SELECT "id" INTO _earlier FROM public."StarTransaction"
        WHERE metadata ->> 'refundOf' = _purchase_id AND "status" <> 'FAILED';
    IF FOUND THEN
        RETURN ROW('repeated', _earlier, _balance)::starbooth.movement;
    END IF;
    SELECT * INTO _purchase FROM public."StarTransaction" WHERE "id" = _purchase_id;
    IF _purchase."status" <> 'COMPLETED' THEN
        RETURN ROW('not_paid', _purchase_id, _balance)::starbooth.movement;
    END IF;
    IF NOT _may_go_below AND _balance < _purchase."amount" THEN
        RETURN ROW('not_enough', _purchase_id, _balance)::starbooth.movement;
    END IF;
    INSERT INTO public."StarTransaction" ("id", "userId", "amount", "type", "status", "metadata")
        SELECT _refund_id, _purchase."userId", -_purchase."amount", 'REFUND', 'PENDING',
            _facts || jsonb_build_object('refundOf', _purchase_id,
                'key', 'refund:' || _purchase_id || ':' || count(*))
        FROM public."StarTransaction" WHERE metadata ->> 'refundOf' = _purchase_id;
    UPDATE public."User"
        SET "stars" = "stars" - _purchase."amount", "updatedAt" = timezone('UTC', clock_timestamp())
        WHERE "id" = _purchase."userId";
    RETURN ROW('moved', _refund_id, _balance - _purchase."amount")::starbooth.movement;
END $$;

-- Telegram has given the money back, asked by us or not. The refund under way ends well, or one is written now;
-- the balance may go below zero. The purchase is REFUNDED and no longer counts as bought.
CREATE FUNCTION starbooth.settle_refund(_refund_id text, _purchase_id text, _facts jsonb)
RETURNS starbooth.movement LANGUAGE plpgsql AS $$
DECLARE
    _purchase public."StarTransaction";
    _balance integer;
    _settled text;
    _taken integer := 0;
BEGIN
    SELECT * INTO _purchase FROM public."StarTransaction" WHERE "id" = _purchase_id AND "type" = 'PURCHASE';
    IF NOT FOUND THEN
        RETURN ROW('no_purchase', NULL, NULL)::starbooth.movement;
    END IF;
    SELECT "stars" INTO _balance FROM public."User" WHERE "id" = _purchase."userId" FOR NO KEY UPDATE;
    SELECT * INTO _purchase FROM public."StarTransaction" WHERE "id" = _purchase_id;
    IF _purchase."status" = 'REFUNDED' THEN
        SELECT "id" INTO _settled FROM public."StarTransaction"
            WHERE metadata ->> 'refundOf' = _purchase_id AND "status" = 'COMPLETED';
        RETURN ROW('repeated', _settled, _balance)::starbooth.movement;
    END IF;
    IF _purchase."status" <> 'COMPLETED' THEN
        RETURN ROW('not_paid', _purchase_id, _balance)::starbooth.movement;
    END IF;
    UPDATE public."StarTransaction"
        SET "status" = 'COMPLETED', "metadata" = "metadata" || (_facts - 'key' - 'refundOf')
        WHERE metadata ->> 'refundOf' = _purchase_id AND "status" = 'PENDING'
        RETURNING "id" INTO _settled;
    IF NOT FOUND THEN
        _settled := _refund_id;
        _taken := _purchase."amount";
        INSERT INTO public."StarTransaction" ("id", "userId", "amount", "type", "status", "metadata")
            SELECT _refund_id, _purchase."userId", -_purchase."amount", 'REFUND', 'COMPLETED',
                _facts || jsonb_build_object('refundOf', _purchase_id,
                    'key', 'refund:' || _purchase_id || ':' || count(*))
            FROM public."StarTransaction" WHERE metadata ->> 'refundOf' = _purchase_id;
    END IF;
    UPDATE public."StarTransaction" SET "status" = 'REFUNDED' WHERE "id" = _purchase_id;
    UPDATE public."User"
        SET "stars" = "stars" - _taken, "totalBoughtStars" = "totalBoughtStars" - _purchase."amount",
            "updatedAt" = timezone('UTC', clock_timestamp())
        WHERE "id" = _purchase."userId";
    RETURN ROW('moved', _settled, _balance - _taken)::starbooth.movement;
END $$;

-- Telegram will not give the money back: the refund under way is FAILED, and its stars are there again.
CREATE FUNCTION starbooth.drop_refund(_refund_id text, _facts jsonb)
RETURNS starbooth.movement LANGUAGE plpgsql AS $$
DECLARE
    _refund public."StarTransaction";
    _balance integer;
BEGIN
    SELECT * INTO _refund FROM public."StarTransaction"
        WHERE "id" = _refund_id AND "type" = 'REFUND' AND "amount" < 0;
    IF NOT FOUND THEN
        RETURN ROW('no_refund', NULL, NULL)::starbooth.movement;
    END IF;
    SELECT "stars" INTO _balance FROM public."User" WHERE "id" = _refund."userId" FOR NO KEY UPDATE;
    SELECT * INTO _refund FROM public."StarTransaction" WHERE "id" = _refund_id;
    IF _refund."status" <> 'PENDING' THEN
        RETURN ROW(CASE _refund."status" WHEN 'FAILED' THEN 'repeated' ELSE 'ended_otherwise' END,
            _refund_id, _balance)::starbooth.movement;
    END IF;
    UPDATE public."StarTransaction"
        SET "status" = 'FAILED', "metadata" = "metadata" || (_facts - 'key' - 'refundOf')
        WHERE "id" = _refund_id;
    UPDATE public."User"
        SET "stars" = "stars" - _refund."amount", "updatedAt" = timezone('UTC', clock_timestamp())
        WHERE "id" = _refund."userId";
    RETURN ROW('moved', _refund_id, _balance - _refund."amount")::starbooth.movement;
END $$;
