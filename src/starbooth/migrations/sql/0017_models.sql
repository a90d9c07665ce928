-- Models that their makers share: the catalogue, what a use of them costs beside the picture, what makers earn.

-- By which name a maker is shown beside their public models. Without a row: by none.
CREATE TABLE starbooth.makers (
    user_id text PRIMARY KEY REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    shows text NOT NULL DEFAULT 'nothing' CHECK (shows IN ('nothing', 'username', 'pen_name')),
    pen_name text CHECK (length(pen_name) BETWEEN 2 AND 30),
    CHECK (shows <> 'pen_name' OR pen_name IS NOT NULL)
);
CREATE UNIQUE INDEX makers_pen_name_idx ON starbooth.makers (lower(pen_name));

-- What a name is searched by, as `starbooth.searched_text` reads it: its words, each once.
CREATE FUNCTION starbooth.model_words(_name text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN array_to_tsvector(array_remove(
        regexp_split_to_array(left(starbooth.searched_text(_name), 200), '[^[:alnum:]]+'), ''));

-- One card per model, kept by a trigger, also for models that another program writes. What the catalogue is ordered
-- by stands here, so that a page is one walk along an index. uses: pictures that others made with it, counted
-- from `order_fees` now and then. hidden_at: operators took it out of the catalogue.
CREATE TABLE starbooth.model_cards (
    lora_id text PRIMARY KEY REFERENCES public."LoraModel" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    words tsvector NOT NULL,
    is_listed boolean NOT NULL,
    listed_at timestamptz,
    uses integer NOT NULL DEFAULT 0 CHECK (uses >= 0),
    favourites integer NOT NULL DEFAULT 0 CHECK (favourites >= 0),
    hidden_at timestamptz,
    hidden_reason text CHECK (length(hidden_reason) BETWEEN 1 AND 300),
    CHECK (NOT (is_listed AND hidden_at IS NOT NULL)),
    CHECK (NOT is_listed OR listed_at IS NOT NULL),
    CHECK ((hidden_at IS NULL) = (hidden_reason IS NULL))
);
CREATE INDEX model_cards_used_idx ON starbooth.model_cards (uses DESC, lora_id DESC) WHERE is_listed;
CREATE INDEX model_cards_loved_idx ON starbooth.model_cards (favourites DESC, lora_id DESC) WHERE is_listed;
CREATE INDEX model_cards_new_idx ON starbooth.model_cards (listed_at DESC, lora_id DESC) WHERE is_listed;
CREATE INDEX model_cards_words_idx ON starbooth.model_cards USING gin (words) WITH (fastupdate = off) WHERE is_listed;

CREATE FUNCTION starbooth.keep_model_card() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    _is_listed boolean := NEW."isPublic" AND NEW."status" = 'COMPLETED' AND NEW."weightsUrl" IS NOT NULL;
BEGIN
    INSERT INTO starbooth.model_cards AS c (lora_id, words, is_listed, listed_at)
        VALUES (NEW."id", starbooth.model_words(NEW."name"), _is_listed, CASE WHEN _is_listed THEN now() END)
        ON CONFLICT (lora_id) DO UPDATE SET words = excluded.words,
            is_listed = excluded.is_listed AND c.hidden_at IS NULL,
            listed_at = CASE WHEN c.is_listed THEN c.listed_at ELSE coalesce(excluded.listed_at, c.listed_at) END;
    RETURN NEW;
END $$;
CREATE TRIGGER keep_model_card AFTER INSERT OR UPDATE OF "name", "isPublic", "status", "weightsUrl"
    ON public."LoraModel" FOR EACH ROW EXECUTE FUNCTION starbooth.keep_model_card();
INSERT INTO starbooth.model_cards (lora_id, words, is_listed, listed_at)
    SELECT "id", starbooth.model_words("name"), is_listed, CASE WHEN is_listed THEN "createdAt" END
    FROM (SELECT *, "isPublic" AND "status" = 'COMPLETED' AND "weightsUrl" IS NOT NULL AS is_listed
        FROM public."LoraModel") l;

-- A model that is deleted leaves its pictures; without this, the foreign key reads through all of them.
CREATE INDEX "Generation_loraId_idx" ON public."Generation" ("loraId") WHERE "loraId" IS NOT NULL;

CREATE TABLE starbooth.model_favourites (
    user_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    lora_id text NOT NULL REFERENCES public."LoraModel" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    marked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, lora_id)
);
CREATE INDEX model_favourites_of_guest_idx ON starbooth.model_favourites (user_id, marked_at DESC, lora_id DESC);
CREATE INDEX model_favourites_of_model_idx ON starbooth.model_favourites (lora_id);

-- One report per guest and model. settled_at: an operator has looked at it.
CREATE TABLE starbooth.model_reports (
    lora_id text NOT NULL REFERENCES public."LoraModel" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    user_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    reason text NOT NULL CHECK (reason IN ('real_person', 'indecent', 'hateful', 'stolen', 'misleading')),
    reported_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz,
    PRIMARY KEY (lora_id, user_id)
);
CREATE INDEX model_reports_open_idx ON starbooth.model_reports (reported_at) WHERE settled_at IS NULL;
CREATE INDEX model_reports_of_guest_idx ON starbooth.model_reports (user_id);

-- An open list of models: one row per message, by the message that asked for it. What it shows and where it is;
-- lora_id: the model that is open in it.
CREATE TABLE starbooth.model_lists (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    request_key text NOT NULL UNIQUE,
    message_id bigint,
    shelf text NOT NULL DEFAULT 'own' CHECK (shelf IN ('own', 'used', 'loved', 'new', 'kept')),
    words text[] NOT NULL DEFAULT '{}',
    place_rank bigint,
    place_id text,
    goes text NOT NULL DEFAULT 'on' CHECK (goes IN ('on', 'back')),
    lora_id text,
    used_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((place_rank IS NULL) = (place_id IS NULL))
);
CREATE INDEX model_lists_of_guest_idx ON starbooth.model_lists (user_id, message_id);
CREATE INDEX model_lists_old_idx ON starbooth.model_lists (used_at);

-- A list can ask for words to search by, a model for a name, a maker for a pen name.
ALTER TABLE starbooth.awaited DROP CONSTRAINT awaited_what_check,
    ADD CONSTRAINT awaited_what_check CHECK (what IN ('words', 'seed', 'negative', 'preset', 'search',
        'model_name', 'trigger_word', 'caption', 'training_steps', 'learning_rate', 'model_search', 'model_rename',
        'pen_name'));

-- What makers should hear of by themselves. Gone once they were told.
CREATE TABLE starbooth.model_news (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    kind text NOT NULL CHECK (kind IN ('hidden', 'shown')),
    facts jsonb NOT NULL,
    due_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX model_news_due_idx ON starbooth.model_news (due_at);

-- What an order pays for the use of models of others: a row per order and model, written when it is placed. Each
-- picture costs fee_stars, but for the first `free` ones. pictures: how many there were in the end; then `free`
-- is how many of those were free. The maker has no foreign key: it would take a lock on one account for all
-- orders with a model that many use.
CREATE TABLE starbooth.order_fees (
    order_id text NOT NULL REFERENCES starbooth.orders (id) ON DELETE CASCADE,
    lora_id text NOT NULL,
    user_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    maker_id text NOT NULL,
    fee_stars integer NOT NULL CHECK (fee_stars >= 0),
    share_percent integer NOT NULL CHECK (share_percent BETWEEN 0 AND 100),
    free integer NOT NULL CHECK (free >= 0),
    pictures integer CHECK (pictures >= 0),
    is_counted boolean NOT NULL DEFAULT false,
    PRIMARY KEY (order_id, lora_id),
    CHECK (maker_id <> user_id),
    CHECK (pictures IS NULL OR free <= pictures)
);
CREATE INDEX order_fees_free_idx ON starbooth.order_fees (user_id, lora_id) WHERE free > 0;
CREATE INDEX order_fees_uncounted_idx ON starbooth.order_fees (order_id)
    WHERE pictures IS NOT NULL AND NOT is_counted;

-- What makers earn, in hundredths of a star: what the end of an order gathered, and what a refund took back of it.
-- Rows are never changed, but for the payout that they went into.
CREATE TABLE starbooth.earnings (
    order_id text NOT NULL,
    lora_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('use', 'taken_back')),
    maker_id text NOT NULL,
    hundredths integer NOT NULL,
    payout integer,
    earned_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_id, lora_id, kind),
    CHECK (CASE kind WHEN 'use' THEN hundredths > 0 ELSE hundredths < 0 END)
);
CREATE INDEX earnings_due_idx ON starbooth.earnings (maker_id) INCLUDE (hundredths) WHERE payout IS NULL;
CREATE INDEX earnings_paid_idx ON starbooth.earnings (maker_id, payout) WHERE payout IS NOT NULL;
CREATE INDEX earnings_of_model_idx ON starbooth.earnings (maker_id, lora_id);

-- What was paid out, per maker from 1 on. What is less than a star is carried to the next one.
CREATE TABLE starbooth.payouts (
    maker_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    number integer NOT NULL CHECK (number >= 1),
    transaction_id text NOT NULL UNIQUE
        REFERENCES public."StarTransaction" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    carried_hundredths integer NOT NULL CHECK (carried_hundredths BETWEEN 0 AND 99),
    gathered_hundredths bigint NOT NULL,
    paid_stars integer NOT NULL CHECK (paid_stars >= 1),
    rest_hundredths integer NOT NULL CHECK (rest_hundredths BETWEEN 0 AND 99),
    paid_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (maker_id, number),
    CHECK (carried_hundredths + gathered_hundredths = paid_stars * 100::bigint + rest_hundredths)
);

CREATE FUNCTION starbooth.guard_earning() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.order_id, NEW.lora_id, NEW.kind, NEW.maker_id, NEW.hundredths) IS DISTINCT FROM
       (OLD.order_id, OLD.lora_id, OLD.kind, OLD.maker_id, OLD.hundredths) OR OLD.payout IS NOT NULL THEN
        RAISE EXCEPTION 'earning of order % may not change', OLD.order_id
            USING ERRCODE = 'integrity_constraint_violation', HINT = 'Take it back with a new row.';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_earning BEFORE UPDATE ON starbooth.earnings
    FOR EACH ROW EXECUTE FUNCTION starbooth.guard_earning();
