-- Requests that an engine has ended badly and for good: their tickets were bought again.

-- The ids of such requests. A webhook that comes late, or twice, finds its own here and changes nothing.
ALTER TABLE starbooth.tickets ADD COLUMN spent text[] NOT NULL DEFAULT '{}';

-- Whether the engine broke down over what it had taken. Then taking the next ticket proves nothing: only a picture does.
ALTER TABLE starbooth.breakers ADD COLUMN is_of_runs boolean NOT NULL DEFAULT false;
