-- Albums: an order for several pictures stands in the chat as several messages, each of which becomes its picture.

-- album: {"<number of the picture>": {"message_id": …, "shows": "<key of the file that it shows>" or null}}
-- album_sends: how often sending the album was begun without knowing that it failed; a send cannot be repeated.
ALTER TABLE starbooth.deliveries
    ADD COLUMN album jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN album_sends smallint NOT NULL DEFAULT 0;
