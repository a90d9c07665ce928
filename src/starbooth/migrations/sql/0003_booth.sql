-- Everything that is not the public contract: offers, orders, tickets, deliveries, guests, the inbox.

CREATE TABLE starbooth.guests (
    user_id text PRIMARY KEY REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    chat_id bigint NOT NULL,
    language text NOT NULL CHECK (language IN ('en', 'es', 'ru')),
    has_blocked_bot boolean NOT NULL DEFAULT false,
    met_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE starbooth.offers (
    base_model_id text PRIMARY KEY REFERENCES public."BaseModel" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    endpoint text NOT NULL,
    price_stars integer NOT NULL CHECK (price_stars BETWEEN 0 AND 1000000),
    width_px integer NOT NULL CHECK (width_px BETWEEN 64 AND 4096),
    height_px integer NOT NULL CHECK (height_px BETWEEN 64 AND 4096),
    steps integer NOT NULL CHECK (steps BETWEEN 1 AND 100),
    guidance double precision NOT NULL CHECK (guidance BETWEEN 0 AND 35),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE starbooth.orders (
    id text PRIMARY KEY,
    request_key text NOT NULL UNIQUE,
    user_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    hold_id text NOT NULL UNIQUE REFERENCES public."StarTransaction" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    kind text NOT NULL CHECK (kind IN ('generation', 'training')),
    source text NOT NULL CHECK (source IN ('bot', 'miniapp', 'api', 'command')),
    request jsonb NOT NULL,
    parts integer NOT NULL CHECK (parts BETWEEN 1 AND 100),
    price_stars integer NOT NULL CHECK (price_stars >= 0),
    spent_stars integer CHECK (spent_stars BETWEEN 0 AND price_stars),
    state text NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'running', 'done', 'failed', 'cancelled')),
    turn bigint NOT NULL,
    attempt integer NOT NULL DEFAULT 0,
    progress double precision NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1),
    error_code text,
    error_detail text,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    ended_at timestamptz,
    deadline_at timestamptz NOT NULL,
    check_at timestamptz,
    CHECK ((state IN ('done', 'failed', 'cancelled')) = (ended_at IS NOT NULL)),
    CHECK ((ended_at IS NULL) = (spent_stars IS NULL))
);
CREATE INDEX orders_waiting_idx ON starbooth.orders (turn, created_at, id) WHERE state = 'held';
CREATE INDEX orders_running_idx ON starbooth.orders (check_at) WHERE state = 'running';
CREATE INDEX orders_deadline_idx ON starbooth.orders (deadline_at) WHERE state IN ('held', 'running');
CREATE INDEX orders_active_of_guest_idx ON starbooth.orders (user_id, turn) WHERE state IN ('held', 'running');
CREATE INDEX orders_history_idx ON starbooth.orders (user_id, created_at DESC);
CREATE INDEX orders_started_idx ON starbooth.orders (started_at DESC, turn DESC) WHERE started_at IS NOT NULL;
CREATE INDEX orders_pace_idx ON starbooth.orders (ended_at DESC) WHERE state = 'done';

CREATE FUNCTION starbooth.guard_order_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state IN ('done', 'failed', 'cancelled') AND NEW.state <> OLD.state THEN
        RAISE EXCEPTION 'order % has ended as % and stays so', OLD.id, OLD.state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.state <> OLD.state OR NEW.progress <> OLD.progress THEN
        PERFORM pg_notify('starbooth_order', NEW.id);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_order_state BEFORE UPDATE ON starbooth.orders
    FOR EACH ROW EXECUTE FUNCTION starbooth.guard_order_state();

-- One engine request of an order: one picture with its own seed, or one training.
CREATE TABLE starbooth.tickets (
    order_id text NOT NULL REFERENCES starbooth.orders (id) ON DELETE CASCADE,
    number integer NOT NULL CHECK (number >= 0),
    seed bigint NOT NULL CHECK (seed >= 0),
    state text NOT NULL DEFAULT 'unsent' CHECK (state IN ('unsent', 'sending', 'sent', 'done', 'failed')),
    engine text,
    endpoint text NOT NULL,
    request_id text,
    sent_at timestamptz,
    tries integer NOT NULL DEFAULT 0,
    file_key text,
    facts jsonb NOT NULL DEFAULT '{}',
    error_code text,
    PRIMARY KEY (order_id, number),
    CHECK ((state = 'sent') <= (request_id IS NOT NULL)),
    CHECK ((state = 'done') = (file_key IS NOT NULL))
);
CREATE UNIQUE INDEX tickets_request_idx ON starbooth.tickets (engine, request_id);

CREATE TABLE starbooth.deliveries (
    order_id text PRIMARY KEY REFERENCES starbooth.orders (id) ON DELETE CASCADE,
    chat_id bigint NOT NULL,
    reply_to_message_id bigint,
    message_id bigint,
    language text NOT NULL,
    owed integer NOT NULL DEFAULT 1,
    shown integer NOT NULL DEFAULT 0,
    fingerprint text,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'delivered', 'undeliverable')),
    tries integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    busy_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz
);
CREATE INDEX deliveries_due_idx ON starbooth.deliveries (due_at) WHERE state = 'open';

-- Every update of Telegram, kept before it is acknowledged.
CREATE TABLE starbooth.inbox (
    update_id bigint PRIMARY KEY,
    chat_key text NOT NULL,
    body jsonb NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'handled', 'failed')),
    tries integer NOT NULL DEFAULT 0,
    claimed_by text,
    claimed_until timestamptz,
    due_at timestamptz NOT NULL DEFAULT now(),
    received_at timestamptz NOT NULL DEFAULT now(),
    handled_at timestamptz
);
CREATE INDEX inbox_waiting_idx ON starbooth.inbox (update_id) WHERE state = 'waiting';
CREATE INDEX inbox_chat_idx ON starbooth.inbox (chat_key, update_id) WHERE state = 'waiting';
CREATE INDEX inbox_old_idx ON starbooth.inbox (received_at) WHERE state <> 'waiting';
