"""The two ways in which the playground says no: to the bot (Bot API errors) and to a guest (control API
errors).

Texts of `ApiError` follow the public source of the official Bot API server.
"""

from typing import Any

Json = dict[str, Any]

_PREFIXES = {
    400: "Bad Request: ",
    403: "Forbidden: ",
    404: "Not Found: ",
    409: "Conflict: ",
    429: "Too Many Requests: ",
    500: "Internal Server Error: ",
}


class ApiError(Exception):
    """A Bot API method that fails; `description` carries the prefix that belongs to `code`."""

    def __init__(
        self, code: int, text: str, *, retry_after_s: int | None = None, migrated_to: int = 0
    ) -> None:
        self.code = code
        self.description = f"{_PREFIXES[code]}{text}" if code in _PREFIXES else text
        self.retry_after_s = retry_after_s
        self.migrated_to = migrated_to
        super().__init__(self.description)

    def body(self) -> Json:
        """The JSON that the client sees beside the HTTP status `code`."""
        body: Json = {"ok": False, "error_code": self.code, "description": self.description}
        if self.retry_after_s is not None:
            body["parameters"] = {"retry_after": self.retry_after_s}
        if self.migrated_to:
            body["parameters"] = {"migrate_to_chat_id": self.migrated_to}
        return body


def bad_request(text: str) -> ApiError:
    return ApiError(400, text)


def too_many_requests(retry_after_s: int) -> ApiError:
    return ApiError(429, f"retry after {retry_after_s}", retry_after_s=retry_after_s)


class GuestError(Exception):
    """What a guest (or a test acting as one) asked for cannot be done; `status` is the HTTP status of the
    answer.
    """

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text
        super().__init__(text)
