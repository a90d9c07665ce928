"""One Bot API request, read: from query string, form, multipart or JSON to named texts and uploaded files.

Knows how the Bot API writes numbers, booleans and nested JSON in a form. Knows no method.
"""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.types import Receive, Scope

from starbooth.playground.errors import ApiError, bad_request

MAX_BODY_BYTES = 52 * 1024 * 1024
_MAX_FIELDS = 200


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came as a part of the request; `name` is what the sender calls it."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Params:
    fields: dict[str, str]
    uploads: dict[str, Upload] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The parameter, or the empty text: absent and empty are the same to the Bot API."""
        return self.fields.get(name, "")

    def boolean(self, name: str) -> bool:
        return self.fields.get(name, "").lower() in ("true", "yes", "1")

    def integer(self, name: str, default: int = 0, *, low: int = -(2**63), high: int = 2**63 - 1) -> int:
        """The parameter, clamped into `low..high`; like the server, what is no number counts as 0."""
        text = self.fields.get(name, "")
        if not text:
            return default
        return max(low, min(high, to_integer(text)))

    def json(self, name: str, refusal: str) -> Any:
        """The decoded parameter, None when absent. Raises: ApiError 400 with `refusal` when it is no JSON."""
        text = self.fields.get(name, "")
        if not text:
            return None
        try:
            return decode_json(text)
        except ValueError:
            raise bad_request(refusal) from None


def decode_json(text: str) -> Any:
    """The value that `text` writes. Raises: ValueError, also for half a surrogate pair, which is no UTF-8."""
    value = json.loads(text)
    if "\\ud" in text.lower():
        json.dumps(value, ensure_ascii=False).encode()
    return value


def to_integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0


async def read_params(scope: Scope, receive: Receive) -> Params:
    """Read the whole request. Raises: ApiError 413 when it is too large, 400 when it is wrongly shaped."""
    fields = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    body = await read_body(scope, receive)
    if not body:
        return Params(fields)
    header = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    kind, options = parse_options_header(header)
    if kind == b"application/x-www-form-urlencoded":
        fields.update(_form_fields(body))
        return Params(fields)
    if kind == b"application/json":
        fields.update(_json_fields(body))
        return Params(fields)
    if kind == b"multipart/form-data" and b"boundary" in options:
        uploads = _read_multipart(body, options[b"boundary"], fields)
        return Params(fields, uploads)
    return Params(fields)


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The body of the request, at most `MAX_BODY_BYTES`. Raises: ApiError 413."""
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
        raise ApiError(413, "Request Entity Too Large")
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise bad_request("the connection was closed before the request was complete")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise ApiError(413, "Request Entity Too Large")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _form_fields(body: bytes) -> list[tuple[str, str]]:
    text = _decoded(body)
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except UnicodeDecodeError:
        raise bad_request("strings must be encoded in UTF-8") from None
    except ValueError:
        raise bad_request("too many fields") from None


def _json_fields(body: bytes) -> dict[str, str]:
    try:
        decoded = decode_json(_decoded(body))
    except ValueError:
        raise bad_request("can't parse request JSON object") from None
    if not isinstance(decoded, dict):
        raise bad_request("request JSON must be an object")
    texts = (
        (name, value if isinstance(value, str) else json.dumps(value)) for name, value in decoded.items()
    )
    return {name: "" if text == "null" else text for name, text in texts}


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise bad_request("strings must be encoded in UTF-8") from None


class _Parts:
    """Collects what the multipart parser calls back; a part with a filename becomes an upload."""

    def __init__(self, fields: dict[str, str]) -> None:
        self.fields = fields
        self.uploads: dict[str, Upload] = {}
        self.header_name = b""
        self.header_value = b""
        self.disposition = b""
        self.chunks: list[bytes] = []

    def on_part_begin(self) -> None:
        self.disposition = b""
        self.chunks = []

    def on_header_field(self, raw: bytes, start: int, end: int) -> None:
        self.header_name += raw[start:end]

    def on_header_value(self, raw: bytes, start: int, end: int) -> None:
        self.header_value += raw[start:end]

    def on_header_end(self) -> None:
        if self.header_name.lower() == b"content-disposition":
            self.disposition = self.header_value
        self.header_name = self.header_value = b""

    def on_part_data(self, raw: bytes, start: int, end: int) -> None:
        self.chunks.append(raw[start:end])

    def on_part_end(self) -> None:
        _, options = parse_options_header(self.disposition)
        name = _decoded(options.get(b"name", b""))
        content = b"".join(self.chunks)
        if b"filename" in options:
            self.uploads[name] = Upload(_decoded(options[b"filename"]), content)
        elif name:
            self.fields[name] = _decoded(content)
        if len(self.fields) + len(self.uploads) > _MAX_FIELDS:
            raise bad_request("too many fields")


def _read_multipart(body: bytes, boundary: bytes, fields: dict[str, str]) -> dict[str, Upload]:
    parts = _Parts(fields)
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": parts.on_part_begin,
            "on_header_field": parts.on_header_field,
            "on_header_value": parts.on_header_value,
            "on_header_end": parts.on_header_end,
            "on_part_data": parts.on_part_data,
            "on_part_end": parts.on_part_end,
        },
    )
    try:
        parser.write(body)
        parser.finalize()
    except ValueError as problem:
        raise bad_request(f"can't parse multipart form: {problem}") from None
    return parts.uploads
