-- What may be asked for: the operator's word list, and which guests were refused.

-- An entry is written as `starbooth words` tells: | between words of which any will do, + between groups that
-- must all be there, a star behind a beginning.
CREATE TABLE starbooth.prompt_words (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry text NOT NULL UNIQUE CHECK (length(entry) BETWEEN 1 AND 500),
    note text NOT NULL DEFAULT '' CHECK (length(note) <= 500),
    operator text NOT NULL,
    added_at timestamptz NOT NULL DEFAULT now()
);

-- One row. A new version with every change of the list, never one that was there before in any database, so
-- that a process may keep what it made of a list for as long as it likes.
CREATE TABLE starbooth.prompt_words_version (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    version uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO starbooth.prompt_words_version DEFAULT VALUES;

CREATE FUNCTION starbooth.renew_prompt_words_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE starbooth.prompt_words_version SET version = gen_random_uuid();
    RETURN NULL;
END $$;
CREATE TRIGGER renew_prompt_words_version
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON starbooth.prompt_words
    FOR EACH STATEMENT EXECUTE FUNCTION starbooth.renew_prompt_words_version();

-- A prompt that was refused, without its words: by the key of the request, so that handling it twice counts once.
CREATE TABLE starbooth.prompt_refusals (
    user_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    request_key text NOT NULL,
    cause text NOT NULL CHECK (cause IN ('word', 'checker')),
    detail text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, request_key)
);
CREATE INDEX prompt_refusals_of_guest_idx ON starbooth.prompt_refusals (user_id, at DESC);
CREATE INDEX prompt_refusals_newest_idx ON starbooth.prompt_refusals (at DESC);

-- What no booth should paint, in the three languages that the bot speaks. Operators may change all of it.
INSERT INTO starbooth.prompt_words (entry, note, operator) VALUES
    ('child porn*|kiddie porn*|csam|lolicon*|shotacon*|pedophil*|paedophil*', 'abuse of children', 'starbooth'),
    ('nude|nudes|nudity|naked|topless|undress*|porn*|nsfw|sex|sexy|sexual*|erotic*|hentai'
        ' + child|children|kid|kids|toddler*|preteen*|underage*|minor|minors|schoolgirl*|schoolboy*'
        '|little girl*|little boy*|loli|shota', 'children and sex', 'starbooth'),
    ('desnud*|porno*|erotic*|sexo|sexual*|sexy'
        ' + niño|niños|niña|niñas|infantil*|menor de edad|menores|adolescente*|colegiala*',
        'children and sex, Spanish', 'starbooth'),
    ('голый|голая|голые|голую|голого|голой|голых|обнаж*|раздет*|порно*|эротик*|эротич*|секс|секса|сексуальн*'
        ' + ребёнок|ребёнка|дети|детей|детск*|малолет*|несовершеннолет*|школьниц*|девочк*|мальчик*|подрост*',
        'children and sex, Russian', 'starbooth'),
    ('deepnude*|nudify*|undress her|undress him', 'taking clothes off real people', 'starbooth'),
    ('bestiality|zoophil*', 'abuse of animals', 'starbooth');
