"""What waits in inline mode: queries that can be answered or picked from, and answers that are still good."""

from dataclasses import dataclass, field

from starbooth.playground.errors import Json

_MAX_QUERIES = 500


@dataclass(slots=True)
class InlineQuery:
    """What a guest has typed; answer is None until the bot has answered."""

    query_id: str
    user_id: int
    text: str
    offset: str
    expires_at: float
    answer: Json | None = None


@dataclass(slots=True)
class InlineDesk:
    """The queries that can be answered or picked from, and the answers that are still good for others."""

    queries: dict[str, InlineQuery] = field(default_factory=dict)
    cache: dict[tuple[str, str, int], tuple[Json, float]] = field(default_factory=dict)

    def keep(self, query: InlineQuery) -> None:
        self.queries[query.query_id] = query
        while len(self.queries) > _MAX_QUERIES:
            self.queries.pop(next(iter(self.queries)))

    def cached(self, query: InlineQuery, now: float) -> Json | None:
        """An earlier answer to the same words, the guest's own or for everybody."""
        for user_id in (query.user_id, 0):
            answer, until = self.cache.get((query.text, query.offset, user_id), (None, 0.0))
            if answer is not None and until > now:
                return answer
        return None

    def remember(self, query: InlineQuery, answer: Json, now: float) -> None:
        key = (query.text, query.offset, query.user_id if answer["is_personal"] else 0)
        self.cache[key] = (answer, now + answer["cache_time"])
        while len(self.cache) > _MAX_QUERIES:
            self.cache.pop(next(iter(self.cache)))
