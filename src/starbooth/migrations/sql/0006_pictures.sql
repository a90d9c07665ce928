-- Every way to make a picture: what offers can do, which engines there are, and what guests chose.

-- What an offer can do is told by the endpoints that it names. They mean the same on every engine, as all of
-- them speak fal's protocol under fal's ids.
ALTER TABLE starbooth.offers
    ADD COLUMN photo_endpoint text,
    ADD COLUMN loras_endpoint text,
    ADD COLUMN loras_photo_endpoint text,
    ADD COLUMN engines text[] NOT NULL DEFAULT '{}',
    ADD COLUMN negative_engines text[] NOT NULL DEFAULT '{}',
    ADD COLUMN least_steps integer NOT NULL DEFAULT 1,
    ADD COLUMN most_steps integer NOT NULL DEFAULT 50,
    ADD COLUMN least_guidance double precision NOT NULL DEFAULT 1,
    ADD COLUMN most_guidance double precision NOT NULL DEFAULT 20,
    ADD COLUMN strength double precision NOT NULL DEFAULT 0.85,
    ADD COLUMN is_on boolean NOT NULL DEFAULT true,
    ADD CHECK (least_steps BETWEEN 1 AND most_steps AND most_steps <= 100),
    ADD CHECK (least_guidance BETWEEN 0 AND most_guidance AND most_guidance <= 35),
    ADD CHECK (strength BETWEEN 0.01 AND 1);

-- What the first release sold, with what the same models can do beside.
UPDATE starbooth.offers SET photo_endpoint = 'fal-ai/flux/dev/image-to-image', strength = 0.9,
    loras_endpoint = 'fal-ai/flux-lora', loras_photo_endpoint = 'fal-ai/flux-lora/image-to-image',
    negative_engines = '{darkroom}'
WHERE endpoint = 'fal-ai/flux/dev';
UPDATE starbooth.offers SET most_steps = 12, negative_engines = '{darkroom}'
WHERE endpoint = 'fal-ai/flux/schnell' AND steps <= 12;
UPDATE starbooth.offers SET photo_endpoint = 'fal-ai/flux-lora/image-to-image',
    loras_endpoint = 'fal-ai/flux-lora', loras_photo_endpoint = 'fal-ai/flux-lora/image-to-image',
    negative_engines = '{darkroom}', least_guidance = 0, most_guidance = 35
WHERE endpoint = 'fal-ai/flux-lora';

-- Every state that an offer was ever in, and since when, so that an old charge can be explained. Written by the
-- database itself: no way to change an offer goes round it.
CREATE TABLE starbooth.offer_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    base_model_id text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    offer jsonb NOT NULL
);
CREATE INDEX offer_changes_idx ON starbooth.offer_changes (base_model_id, changed_at);

CREATE FUNCTION starbooth.keep_offer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR to_jsonb(NEW) - 'updated_at' <> to_jsonb(OLD) - 'updated_at' THEN
        INSERT INTO starbooth.offer_changes (base_model_id, offer)
        VALUES (NEW.base_model_id, to_jsonb(NEW) - 'base_model_id' - 'updated_at');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER keep_offer AFTER INSERT OR UPDATE ON starbooth.offers
    FOR EACH ROW EXECUTE FUNCTION starbooth.keep_offer();
INSERT INTO starbooth.offer_changes (base_model_id, changed_at, offer)
SELECT base_model_id, updated_at, to_jsonb(o) - 'base_model_id' - 'updated_at' FROM starbooth.offers o;

-- The engines that the settings name, as an operator runs them: whether they are used, in which order, and how
-- many tickets each is given at one time. May be changed while workers run.
CREATE TABLE starbooth.engines (
    name text PRIMARY KEY,
    is_on boolean NOT NULL DEFAULT true,
    slots integer NOT NULL CHECK (slots BETWEEN 1 AND 1000),
    position integer NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- A breaker per engine and endpoint: there is a row only while something is wrong. Closed until `open_until` is
-- set; then nothing is sent there before that time, and one ticket at a time after it, to see whether it works.
CREATE TABLE starbooth.breakers (
    engine text NOT NULL,
    endpoint text NOT NULL,
    failures integer NOT NULL,
    cause text NOT NULL,
    open_until timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (engine, endpoint)
);

-- Engines that ended a ticket badly, or fell silent with it: it goes to another one.
ALTER TABLE starbooth.tickets ADD COLUMN tried text[] NOT NULL DEFAULT '{}';
CREATE INDEX tickets_at_engine_idx ON starbooth.tickets (engine) WHERE state IN ('sending', 'sent');

-- What an engine may still be working on although nobody waits for it: cancelled as soon as it can be reached.
CREATE TABLE starbooth.abandoned (
    engine text NOT NULL,
    request_id text NOT NULL,
    endpoint text NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (engine, request_id)
);
