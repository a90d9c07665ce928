-- A guest's pictures to leaf through, to search, to mark and to delete.

-- Both keys of the order run one way, so that a place is one bound of a walk, forwards and backwards.
DROP INDEX public."Generation_gallery_idx";
CREATE INDEX "Generation_gallery_idx" ON public."Generation" ("userId", "createdAt" DESC, "id" DESC);

-- What a prompt is searched by: runs of letters and digits, in small letters, е for ё. `domain/gallery/pages.py`
-- reads what a guest looks for in the same way; a change here needs a new index.
CREATE FUNCTION starbooth.searched_text(_prompt text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN translate(lower(left(_prompt, 4000)), 'ё', 'е');

-- The words of a picture, each behind a key of its guest, so that the words of others cost a search nothing. Two
-- guests may share a key: who reads looks at the owner too. A lexeme may have 2,046 bytes, so a long text loses the
-- ends of its long words. The cost is set far too high on purpose: it must never look cheap to ask every row, nor
-- worth a second process.
CREATE FUNCTION starbooth.picture_words(_user_id text, _prompt text) RETURNS tsvector
    LANGUAGE plpgsql IMMUTABLE PARALLEL RESTRICTED COST 10000 AS $$
DECLARE
    _key text := left(md5(_user_id), 8);
    _text text := starbooth.searched_text(_prompt);
BEGIN
    IF octet_length(_text) >= 1000 THEN
        _text := regexp_replace(_text, '([[:alnum:]]{40})[[:alnum:]]+', '\1', 'g');
    END IF;
    RETURN array_to_tsvector(string_to_array(
        _key || regexp_replace(_text, '[^[:alnum:]]+', ' ' || _key, 'g'), ' '));
END $$;

-- Without `fastupdate`: every search would read through what waits to be sorted in.
CREATE INDEX "Generation_words_idx" ON public."Generation"
    USING gin (starbooth.picture_words("userId", "prompt")) WITH (fastupdate = off);

-- The pictures that a guest marked. Their owner and time stand here too, so that a page of them is one look.
CREATE TABLE starbooth.favourites (
    generation_id text PRIMARY KEY REFERENCES public."Generation" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    user_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    picture_at timestamp(3) NOT NULL,
    marked_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX favourites_gallery_idx ON starbooth.favourites (user_id, picture_at DESC, generation_id DESC);

-- Files whose picture was deleted: written in the transaction that deletes it, gone once the file is.
CREATE TABLE starbooth.doomed_files (
    key text PRIMARY KEY,
    tries integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    doomed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX doomed_files_due_idx ON starbooth.doomed_files (due_at);

-- An open gallery: one row per message, by the message that asked for it. What it shows and where it is.
CREATE TABLE starbooth.galleries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id text NOT NULL REFERENCES public."User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    request_key text NOT NULL UNIQUE,
    message_id bigint,
    favourites_only boolean NOT NULL DEFAULT false,
    words text[] NOT NULL DEFAULT '{}',
    place_at timestamp(3),
    place_id text,
    goes text NOT NULL DEFAULT 'older' CHECK (goes IN ('older', 'newer')),
    used_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((place_at IS NULL) = (place_id IS NULL))
);
CREATE INDEX galleries_of_guest_idx ON starbooth.galleries (user_id, message_id);
CREATE INDEX galleries_old_idx ON starbooth.galleries (used_at);

-- A gallery can ask for words to search by.
ALTER TABLE starbooth.awaited DROP CONSTRAINT awaited_what_check,
    ADD CONSTRAINT awaited_what_check CHECK (what IN ('words', 'seed', 'negative', 'preset', 'search'));
