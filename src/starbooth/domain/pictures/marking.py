"""Marking a picture as made by a model, with its recipe, inside the file; its pixels stay as they are.

Nothing is decoded or encoded anew: only the containers (PNG, JPEG, WebP) are taken apart and put together.
"""

import struct
import zlib
from collections.abc import Iterator

from starbooth.domain.pictures.recipe import Recipe, read_packet, write_packet

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_XMP = b"XML:com.adobe.xmp\0"
_JPEG = b"\xff\xd8"
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_JPEG_MORE_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_JPEG_EXIF = b"Exif\0"
_WEBP_HAS_XMP, _WEBP_HAS_ALPHA = 0x04, 0x10
_MOST_PARTS = 10_000


class Unmarkable(Exception):
    """The bytes are no PNG, JPEG or WebP, or not put together as one."""


def mark(body: bytes, recipe: Recipe) -> bytes:
    """The same picture with its mark. Repeat: the new mark replaces the old one. Raises: Unmarkable."""
    packet = write_packet(recipe)
    try:
        match _kind(body):
            case "png":
                return _mark_png(body, packet)
            case "jpeg":
                return _mark_jpeg(body, packet)
            case _:
                return _mark_webp(body, packet)
    except (struct.error, IndexError) as error:
        raise Unmarkable("the file ends too soon") from error


def read_mark(body: bytes) -> Recipe | None:
    """The recipe that `mark` put into a picture; None where there is none, or it was rewritten by others.

    Raises: Unmarkable.
    """
    try:
        match _kind(body):
            case "png":
                packets = [data for name, data, _ in _png_chunks(body) if _is_png_xmp(name, data)]
            case "jpeg":
                packets = [data for _, data, _ in _jpeg_segments(body)[0] if data.startswith(_JPEG_XMP)]
            case _:
                packets = [data for name, data in _webp_chunks(body) if name == b"XMP "]
    except (struct.error, IndexError) as error:
        raise Unmarkable("the file ends too soon") from error
    return read_packet(packets[0]) if packets else None


def _kind(body: bytes) -> str:
    if body.startswith(_PNG):
        return "png"
    if body.startswith(_JPEG):
        return "jpeg"
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "webp"
    raise Unmarkable("neither PNG nor JPEG nor WebP")


def _png_chunks(body: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """(name, data, the chunk whole), up to and with the end."""
    at = len(_PNG)
    for _ in range(_MOST_PARTS):
        (length,) = struct.unpack_from(">I", body, at)
        whole = body[at : at + 12 + length]
        if len(whole) < 12 + length:
            raise Unmarkable("a chunk is cut")
        yield whole[4:8], whole[8:-4], whole
        if whole[4:8] == b"IEND":
            return
        at += len(whole)
    raise Unmarkable("too many chunks")


def _is_png_xmp(name: bytes, data: bytes) -> bool:
    return name in (b"iTXt", b"tEXt", b"zTXt") and data.startswith(_PNG_XMP)


def _mark_png(body: bytes, packet: bytes) -> bytes:
    kept = [(name, whole) for name, data, whole in _png_chunks(body) if not _is_png_xmp(name, data)]
    # Keyword, then: not compressed, no method, no language, no translated keyword.
    named = b"iTXt" + _PNG_XMP + b"\0\0\0\0" + packet
    ours = struct.pack(">I", len(named) - 4) + named + struct.pack(">I", zlib.crc32(named))
    (first, head), rest = kept[0], kept[1:]
    if first != b"IHDR":
        raise Unmarkable("the head is not first")
    return b"".join([_PNG, head, ours, *(whole for _, whole in rest)])


def _jpeg_segments(body: bytes) -> tuple[list[tuple[int, bytes, bytes]], int]:
    """The segments before the pixels as (marker, data, the segment whole), and where the pixels begin."""
    segments: list[tuple[int, bytes, bytes]] = []
    at = len(_JPEG)
    for _ in range(_MOST_PARTS):
        while body[at] == 0xFF and body[at + 1] == 0xFF:  # padding
            at += 1
        if body[at] != 0xFF:
            raise Unmarkable("a segment does not begin where it should")
        marker = body[at + 1]
        if marker == 0xDA:
            return segments, at
        (length,) = struct.unpack_from(">H", body, at + 2)
        whole = body[at : at + 2 + length]
        if length < 2 or len(whole) < 2 + length:
            raise Unmarkable("a segment is cut")
        segments.append((marker, whole[4:], whole))
        at += len(whole)
    raise Unmarkable("too many segments")


def _mark_jpeg(body: bytes, packet: bytes) -> bytes:
    segments, pixels_at = _jpeg_segments(body)
    kept = [
        (marker, data, whole)
        for marker, data, whole in segments
        if not (marker == 0xE1 and data.startswith((_JPEG_XMP, _JPEG_MORE_XMP)))
    ]
    # JFIF and Exif must come first where they are.
    lead = 0
    while lead < len(kept) and (kept[lead][0] == 0xE0 or kept[lead][1].startswith(_JPEG_EXIF)):
        lead += 1
    data = _JPEG_XMP + packet
    ours = b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data
    wholes = [whole for _, _, whole in kept]
    return b"".join([_JPEG, *wholes[:lead], ours, *wholes[lead:], body[pixels_at:]])


def _webp_chunks(body: bytes) -> list[tuple[bytes, bytes]]:
    """(name, data) of each chunk that the file says it has."""
    (size,) = struct.unpack_from("<I", body, 4)
    chunks: list[tuple[bytes, bytes]] = []
    end, at = 8 + size, 12
    if end > len(body):
        raise Unmarkable("the file is cut")
    while at + 8 <= end:
        name = body[at : at + 4]
        (length,) = struct.unpack_from("<I", body, at + 4)
        if at + 8 + length > end or len(chunks) >= _MOST_PARTS:
            raise Unmarkable("a chunk is cut")
        chunks.append((name, body[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    if not chunks:
        raise Unmarkable("nothing in it")
    return chunks


def _mark_webp(body: bytes, packet: bytes) -> bytes:
    chunks = [(name, data) for name, data in _webp_chunks(body) if name != b"XMP "]
    if chunks[0][0] == b"VP8X":
        flags, rest = chunks[0][1], chunks[1:]
        head = bytes([flags[0] | _WEBP_HAS_XMP]) + flags[1:]
    else:
        head, rest = _webp_head(*chunks[0]), chunks
    parts = [(b"VP8X", head), *rest, (b"XMP ", packet)]
    packed = b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in parts
    )
    return b"RIFF" + struct.pack("<I", len(packed) + 4) + b"WEBP" + packed


def _webp_head(name: bytes, data: bytes) -> bytes:
    """The head that a file with metadata has, made from the pixels' own."""
    if name == b"VP8 ":
        width, height = (int(side) & 0x3FFF for side in struct.unpack_from("<HH", data, 6))
        flags = _WEBP_HAS_XMP
    elif name == b"VP8L":
        bits = int.from_bytes(data[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        flags = _WEBP_HAS_XMP | (_WEBP_HAS_ALPHA if bits >> 28 & 1 else 0)
    else:
        raise Unmarkable("the pixels are not first")
    return bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
