-- Groups: an order that was placed in a topic of a group is answered there.

ALTER TABLE starbooth.deliveries ADD COLUMN thread_id bigint;
CREATE INDEX deliveries_chat_idx ON starbooth.deliveries (chat_id) WHERE state = 'open' AND chat_id < 0;
