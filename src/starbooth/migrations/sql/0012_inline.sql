-- Inline mode: what Telegram calls a picture that it has shown, so that its guest can show it again anywhere.

CREATE TABLE starbooth.telegram_files (
    file_key text PRIMARY KEY,
    file_id text NOT NULL CHECK (length(file_id) BETWEEN 1 AND 500),
    noted_at timestamptz NOT NULL DEFAULT now()
);
