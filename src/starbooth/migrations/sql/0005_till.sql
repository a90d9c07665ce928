-- What is known about payments beside the ledger: invoices, Telegram's own list, plans, carts and gifts.

-- An invoice that went out. Its ledger row says whether it is open (PENDING), paid or too old; its id is the
-- invoice's payload. `told_state`: what Telegram said last of the plan that is paid by it, which it may say before
-- its payment comes.
CREATE TABLE starbooth.purchases (
    id text PRIMARY KEY REFERENCES public."StarTransaction" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    user_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    kind text NOT NULL CHECK (kind IN ('pack', 'plan')),
    amount_stars integer NOT NULL CHECK (amount_stars BETWEEN 1 AND 1000000),
    amount_xtr integer NOT NULL CHECK (amount_xtr BETWEEN 1 AND 1000000),
    link text,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    is_closed boolean NOT NULL DEFAULT false,
    told_state text CHECK (told_state IN ('active', 'cancelled', 'failed')),
    told_at timestamptz
);
CREATE INDEX purchases_open_idx ON starbooth.purchases (expires_at) WHERE NOT is_closed;
CREATE INDEX purchases_open_of_user_idx ON starbooth.purchases (user_id, created_at DESC) WHERE NOT is_closed;

-- A payment of Telegram, by its charge id. `flag`: why an operator should look at it, null where all is well.
-- `is_first`: Telegram began to renew something by it. `tell_at`: when its guest is to be told of it, null where
-- nothing is owed to them.
CREATE TABLE starbooth.payments (
    charge_id text PRIMARY KEY,
    transaction_id text NOT NULL UNIQUE REFERENCES public."StarTransaction" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    purchase_id text REFERENCES starbooth.purchases (id) ON DELETE RESTRICT ON UPDATE CASCADE,
    user_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    telegram_id bigint NOT NULL,
    amount_stars integer NOT NULL,
    amount_xtr integer NOT NULL,
    payload text NOT NULL,
    came_by text NOT NULL CHECK (came_by IN ('update', 'reconciliation')),
    flag text CHECK (flag IN ('unknown_purchase', 'late', 'second_payment', 'other_payer', 'other_amount')),
    subscription_expires_at timestamptz,
    is_first boolean NOT NULL DEFAULT false,
    paid_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    tell_at timestamptz
);
CREATE INDEX payments_untold_idx ON starbooth.payments (tell_at) WHERE tell_at IS NOT NULL;
CREATE INDEX payments_of_user_idx ON starbooth.payments (user_id, paid_at DESC);
CREATE INDEX payments_newest_idx ON starbooth.payments (paid_at DESC);
CREATE INDEX payments_of_purchase_idx ON starbooth.payments (purchase_id) WHERE purchase_id IS NOT NULL;

-- A payment that goes back: we ask Telegram for it, or (`operator` telegram) it was done without us. Its ledger
-- row has the same id. `tell_at`: when its guest is to be told, null where nothing is owed to them.
CREATE TABLE starbooth.refunds (
    id text PRIMARY KEY REFERENCES public."StarTransaction" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    charge_id text NOT NULL REFERENCES starbooth.payments (charge_id) ON DELETE RESTRICT ON UPDATE CASCADE,
    operator text NOT NULL,
    reason text NOT NULL,
    is_forced boolean NOT NULL,
    state text NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'done', 'refused')),
    tries integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    detail text,
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    tell_at timestamptz,
    CHECK ((state = 'asked') = (ended_at IS NULL))
);
CREATE INDEX refunds_untold_idx ON starbooth.refunds (tell_at) WHERE tell_at IS NOT NULL;
CREATE UNIQUE INDEX refunds_of_charge_idx ON starbooth.refunds (charge_id) WHERE state <> 'refused';
CREATE INDEX refunds_due_idx ON starbooth.refunds (due_at) WHERE state = 'asked';

-- A monthly plan, by the payload of its first invoice.
CREATE TABLE starbooth.subscriptions (
    id text PRIMARY KEY REFERENCES starbooth.purchases (id) ON DELETE RESTRICT ON UPDATE CASCADE,
    user_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    telegram_id bigint NOT NULL,
    first_charge_id text NOT NULL UNIQUE,
    amount_stars integer NOT NULL CHECK (amount_stars > 0),
    amount_xtr integer NOT NULL CHECK (amount_xtr > 0),
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'cancelled', 'failed')),
    paid_until timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX subscriptions_of_user_idx ON starbooth.subscriptions (user_id, paid_until DESC);

-- What Telegram says the bot's Stars did, row by row as it came. `is_listed`: it stands in the list of now, which
-- is another one after a change of the bot.
CREATE TABLE starbooth.telegram_transactions (
    id text NOT NULL,
    direction text NOT NULL CHECK (direction IN ('in', 'out')),
    amount_xtr bigint NOT NULL,
    nanos integer NOT NULL DEFAULT 0,
    at timestamptz NOT NULL,
    partner text NOT NULL,
    kind text,
    telegram_id bigint,
    payload text,
    body jsonb NOT NULL,
    is_listed boolean NOT NULL DEFAULT true,
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, direction)
);
CREATE INDEX telegram_transactions_at_idx ON starbooth.telegram_transactions (at);

-- One row per run of the reconciler; the newest one bears the cursor.
CREATE TABLE starbooth.reconciliations (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    cursor bigint NOT NULL CHECK (cursor >= 0),
    rows_read integer NOT NULL,
    report jsonb NOT NULL,
    is_clean boolean NOT NULL
);

-- What an operator should know, owed to them until it is sent. `key`: the same news once. `told`: Telegram ids of
-- those who have it; who sends has the row to itself until `due_at`.
CREATE TABLE starbooth.alerts (
    key text PRIMARY KEY,
    kind text NOT NULL,
    facts jsonb NOT NULL,
    told bigint[] NOT NULL DEFAULT '{}',
    due_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz
);
CREATE INDEX alerts_unsent_idx ON starbooth.alerts (created_at) WHERE sent_at IS NULL;

-- What operators did, and who of them.
CREATE TABLE starbooth.operator_log (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    operator text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    facts jsonb NOT NULL DEFAULT '{}'
);

-- What a guest wanted when the stars did not suffice: at most one that waits per guest, at the price shown.
CREATE TABLE starbooth.carts (
    id text PRIMARY KEY,
    user_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    request_key text NOT NULL UNIQUE,
    request jsonb NOT NULL,
    price_stars integer NOT NULL CHECK (price_stars > 0),
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'ordered', 'dropped')),
    funded_at timestamptz,
    order_id text REFERENCES starbooth.orders (id) ON DELETE RESTRICT ON UPDATE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CHECK ((state = 'ordered') = (order_id IS NOT NULL))
);
CREATE UNIQUE INDEX carts_waiting_idx ON starbooth.carts (user_id) WHERE state = 'waiting';
CREATE INDEX carts_funded_idx ON starbooth.carts (funded_at) WHERE state = 'waiting' AND funded_at IS NOT NULL;

CREATE TABLE starbooth.promo_codes (
    code text PRIMARY KEY CHECK (code ~ '^[A-Z0-9]{3,32}$'),
    amount_stars integer NOT NULL CHECK (amount_stars BETWEEN 1 AND 1000000),
    most_claims integer NOT NULL CHECK (most_claims > 0),
    claims integer NOT NULL DEFAULT 0 CHECK (claims BETWEEN 0 AND most_claims),
    expires_at timestamptz,
    operator text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
-- `request_key`: of the message that claimed it, so that handling it twice answers twice alike.
CREATE TABLE starbooth.promo_claims (
    code text NOT NULL REFERENCES starbooth.promo_codes (code) ON DELETE RESTRICT ON UPDATE CASCADE,
    user_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    request_key text NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (code, user_id)
);

-- What a guest did of the things that may be done so often only. Rows that are too old to count go with the next.
CREATE TABLE starbooth.guest_turns (
    user_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    kind text NOT NULL,
    key text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, kind, key)
);

-- The code in a guest's own link, drawn at random when they first ask for it.
CREATE TABLE starbooth.referral_codes (
    user_id text PRIMARY KEY REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    code text NOT NULL UNIQUE CHECK (code ~ '^[a-z0-9]{10,32}$'),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Who came by whose link. Both are paid after the friend's first purchase (`due_at`): the friend first, then who
-- brought them, each `reward_stars`, or `refusal` says why the latter was not.
CREATE TABLE starbooth.referrals (
    friend_id text PRIMARY KEY REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    referrer_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz,
    friend_paid_at timestamptz,
    reward_stars integer CHECK (reward_stars > 0),
    rewarded_at timestamptz,
    refusal text,
    CHECK (friend_id <> referrer_id),
    CHECK (rewarded_at IS NULL OR friend_paid_at IS NOT NULL),
    CHECK ((friend_paid_at IS NULL) = (reward_stars IS NULL))
);
CREATE INDEX referrals_of_referrer_idx ON starbooth.referrals (referrer_id);
CREATE INDEX referrals_due_idx ON starbooth.referrals (due_at) WHERE due_at IS NOT NULL AND rewarded_at IS NULL AND refusal IS NULL;

-- Gifts that guests are to be told of. `due_at`: who tells has the row to itself until then; told, it goes.
CREATE TABLE starbooth.gift_news (
    key text PRIMARY KEY,
    user_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    kind text NOT NULL CHECK (kind IN ('friend', 'referrer')),
    amount_stars integer NOT NULL,
    due_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX gift_news_due_idx ON starbooth.gift_news (due_at);

-- Updates that cannot wait for others: Telegram gives ten seconds to answer a checkout.
ALTER TABLE starbooth.inbox ADD COLUMN is_urgent boolean NOT NULL DEFAULT false;
CREATE INDEX inbox_urgent_idx ON starbooth.inbox (update_id) WHERE state = 'waiting' AND is_urgent;
