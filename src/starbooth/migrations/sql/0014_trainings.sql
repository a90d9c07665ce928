-- Models of guests themselves: what a training is sold as, its photos on their way, the consent, the order.

-- What a training is sold as, per kind of LoRA. price: stars = ceil(stars_per_100_steps * steps / 100), at least
-- least_stars. engines: in order of preference; empty means all there are, in the booth's order.
CREATE TABLE starbooth.training_offers (
    lora_type public."LoraType" PRIMARY KEY,
    base_model_id text NOT NULL REFERENCES public."BaseModel" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    endpoint text NOT NULL,
    engines text[] NOT NULL DEFAULT '{}',
    stars_per_100_steps integer NOT NULL CHECK (stars_per_100_steps BETWEEN 0 AND 1000000),
    least_stars integer NOT NULL DEFAULT 1 CHECK (least_stars >= 0),
    steps integer NOT NULL, least_steps integer NOT NULL, most_steps integer NOT NULL,
    learning_rate double precision NOT NULL,
    least_learning_rate double precision NOT NULL, most_learning_rate double precision NOT NULL,
    least_photos integer NOT NULL, warn_photos integer NOT NULL, most_photos integer NOT NULL DEFAULT 30,
    is_on boolean NOT NULL DEFAULT true,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (steps BETWEEN least_steps AND most_steps AND least_steps >= 1 AND most_steps <= 10000),
    CHECK (learning_rate BETWEEN least_learning_rate AND most_learning_rate AND least_learning_rate > 0),
    CHECK (least_photos BETWEEN 1 AND warn_photos AND warn_photos <= most_photos)
);

-- What a guest agreed to, in the words that they saw.
CREATE TABLE starbooth.consents (
    id text PRIMARY KEY,
    user_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    words text NOT NULL,
    language text NOT NULL,
    given_at timestamptz NOT NULL DEFAULT now(),
    withdrawn_at timestamptz
);
CREATE INDEX consents_of_guest_idx ON starbooth.consents (user_id, given_at DESC);

-- Photos that a guest gathers for a model. One set is open per guest; an ordered one can be used again until it goes.
-- What is not chosen yet is null. `kept_until` moves on with every use; a doomed set is used no more, its files go.
-- refused: what came and was not taken, by its source, until the guest has seen it.
CREATE TABLE starbooth.photo_sets (
    id text PRIMARY KEY,
    user_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    state text NOT NULL DEFAULT 'collecting' CHECK (state IN ('collecting', 'ordered', 'doomed')),
    chat_id bigint NOT NULL,
    message_id bigint,
    lora_type public."LoraType",
    name text CHECK (length(name) BETWEEN 1 AND 40),
    trigger_word text CHECK (length(trigger_word) BETWEEN 1 AND 40),
    steps integer,
    learning_rate double precision,
    refused jsonb NOT NULL DEFAULT '{}',
    consent_id text REFERENCES starbooth.consents (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    touched_at timestamptz NOT NULL DEFAULT now(),
    kept_until timestamptz NOT NULL
);
CREATE UNIQUE INDEX photo_sets_open_idx ON starbooth.photo_sets (user_id) WHERE state = 'collecting';
CREATE INDEX photo_sets_due_idx ON starbooth.photo_sets (kept_until);

-- One photo of a set. key: the prepared JPEG in storage, `training/<set>/<random>.jpg`. source: by what it came
-- (the message's file, an entry of a zip), so that what arrives twice is kept once. facts: what the assistant saw.
CREATE TABLE starbooth.set_photos (
    set_id text NOT NULL REFERENCES starbooth.photo_sets (id) ON DELETE CASCADE,
    number integer NOT NULL CHECK (number >= 1),
    source text NOT NULL,
    key text NOT NULL UNIQUE,
    width_px integer NOT NULL CHECK (width_px > 0),
    height_px integer NOT NULL CHECK (height_px > 0),
    caption text NOT NULL DEFAULT '' CHECK (length(caption) <= 500),
    facts jsonb NOT NULL DEFAULT '{}',
    added_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (set_id, number),
    UNIQUE (set_id, source)
);

-- What belongs to an order for a training. stop_asked_at: the guest wants it ended with what there is. steps_ran:
-- as the engine told last. sample_key: the newest sample picture in storage.
CREATE TABLE starbooth.training_orders (
    order_id text PRIMARY KEY REFERENCES starbooth.orders (id) ON DELETE CASCADE,
    training_id text NOT NULL UNIQUE,
    lora_id text NOT NULL UNIQUE,
    set_id text REFERENCES starbooth.photo_sets (id) ON DELETE SET NULL,
    stop_asked_at timestamptz,
    steps_ran integer NOT NULL DEFAULT 0,
    sample_key text
);

-- A training's questions to the guest. number: of the photo that the question is about.
ALTER TABLE starbooth.awaited DROP CONSTRAINT awaited_what_check,
    ADD CONSTRAINT awaited_what_check CHECK (what IN ('words', 'seed', 'negative', 'preset', 'search',
        'model_name', 'trigger_word', 'caption', 'training_steps', 'learning_rate', 'model_search', 'model_price'));
ALTER TABLE starbooth.awaited ADD COLUMN number integer;

-- Lanes: trainings have slots of their own at each engine, and turns, waits and claims are reckoned per kind. There
-- are few among many pictures, hence indexes that hold nothing else.
ALTER TABLE starbooth.engines
    ADD COLUMN training_slots integer NOT NULL DEFAULT 1 CHECK (training_slots BETWEEN 0 AND 1000);
CREATE INDEX orders_trainings_waiting_idx ON starbooth.orders (turn, created_at, id)
    WHERE state = 'held' AND kind = 'training';
CREATE INDEX orders_trainings_started_idx ON starbooth.orders (started_at DESC, turn DESC)
    WHERE kind = 'training' AND started_at IS NOT NULL;
CREATE INDEX orders_trainings_ended_idx ON starbooth.orders (ended_at DESC)
    WHERE kind = 'training' AND state = 'done';

-- Photos of guests that lie at an engine as one zip: deleted there when the order has ended, where the engine can.
CREATE TABLE starbooth.lent_zips (
    engine text NOT NULL,
    url text NOT NULL,
    order_id text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (engine, url)
);
CREATE INDEX lent_zips_of_order_idx ON starbooth.lent_zips (order_id);
