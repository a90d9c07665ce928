-- What guests choose for their pictures: what they are remembered by, presets, and panels that are open.

-- Choices are JSON as `domain/generations/choices.py` writes it; what is left out is the default.
CREATE TABLE starbooth.remembered (
    user_id text PRIMARY KEY REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    choices jsonb NOT NULL DEFAULT '{}',
    asks_first boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE starbooth.presets (
    id text PRIMARY KEY,
    user_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 32),
    choices jsonb NOT NULL,
    saved_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, name)
);

-- A guest's photo in storage. `kept_until` moves on whenever the photo is used; who finds it forgotten may not
-- use it any more, as its file is about to go.
CREATE TABLE starbooth.photos (
    key text PRIMARY KEY,
    user_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    width_px integer NOT NULL CHECK (width_px > 0),
    height_px integer NOT NULL CHECK (height_px > 0),
    kept_until timestamptz NOT NULL,
    is_forgotten boolean NOT NULL DEFAULT false
);
CREATE INDEX photos_due_idx ON starbooth.photos (kept_until);

-- What a guest puts together before it is ordered: one row per open panel. Its id makes the order's key, so it
-- is ordered once; then the row goes.
CREATE TABLE starbooth.drafts (
    id text PRIMARY KEY,
    user_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    chat_id bigint NOT NULL,
    message_id bigint,
    asked_by bigint,
    prompt text NOT NULL,
    choices jsonb NOT NULL,
    photo_key text REFERENCES starbooth.photos (key),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX drafts_of_guest_idx ON starbooth.drafts (user_id, created_at DESC);
CREATE INDEX drafts_expiry_idx ON starbooth.drafts (expires_at);
CREATE INDEX drafts_photo_idx ON starbooth.drafts (photo_key) WHERE photo_key IS NOT NULL;

-- What a guest was asked to write: their next text is the answer, and no order.
CREATE TABLE starbooth.awaited (
    user_id text PRIMARY KEY REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    what text NOT NULL CHECK (what IN ('words', 'seed', 'negative', 'preset')),
    draft_id text REFERENCES starbooth.drafts (id) ON DELETE CASCADE,
    message_id bigint,
    expires_at timestamptz NOT NULL
);
CREATE INDEX awaited_draft_idx ON starbooth.awaited (draft_id) WHERE draft_id IS NOT NULL;
