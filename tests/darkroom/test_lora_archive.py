"""Zips of photos: what is taken, and that no bytes do harm."""

import io
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from starbooth.darkroom.files import FileStore
from starbooth.darkroom.lora_training import archive
from starbooth.darkroom.lora_training.archive import MOST_PHOTOS, Archives, check, photos_in
from starbooth.darkroom.schemas import InvalidInput
from tests.darkroom.albums import album, album_file, inline, jpeg, styled, zipped

PHOTOS = {f"{number}.jpg": jpeg(styled(number)) for number in range(4)}


def refusal(work: Callable[[], object]) -> dict[str, Any]:
    """The refusal that `work` ends with; it is always about the archive."""
    with pytest.raises(InvalidInput) as refused:
        work()
    (detail,) = refused.value.details
    assert detail["loc"] == ["body", "images_data_url"]
    return detail


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


class TestPhotosIn:
    def test_photos_come_by_name_with_their_captions(self, tmp_path: Path) -> None:
        files = {
            **PHOTOS,
            "2.txt": "  a [trigger]\n ring ".encode("utf-8-sig"),
            "sub/a.png": encoded(styled(9), "PNG"),
        }
        files |= {"__MACOSX/._0.jpg": b"x", ".DS_Store": b"x", "sub/Thumbs.db": b"x"}
        photos = list(photos_in(album_file(tmp_path, zipped(files))))
        assert [photo.name for photo in photos] == ["0.jpg", "1.jpg", "2.jpg", "3.jpg", "sub/a.png"]
        assert [photo.caption for photo in photos] == ["", "", "a [trigger] ring", "", ""]

    def test_a_photo_is_upright_and_rgb_whatever_it_was(self, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        files = {
            **PHOTOS,
            "cmyk.jpg": encoded(styled(1).convert("CMYK"), "JPEG"),
            "grey.png": encoded(Image.new("L", (60, 40)), "PNG"),
            "turned.jpg": encoded(Image.new("RGB", (60, 40)), "JPEG", exif=exif),
        }
        photos = {photo.name: photo.picture for photo in photos_in(album_file(tmp_path, zipped(files)))}
        assert {picture.mode for picture in photos.values()} == {"RGB"}
        assert photos["turned.jpg"].size == (40, 60)

    @pytest.mark.parametrize(
        ("name", "content", "kind"),
        [
            ("text.jpg", b"this is a text", "unsupported_image_format"),
            ("cut.jpg", jpeg(styled(1))[:900], "image_load_error"),
            ("wide.png", b"", "image_too_large"),
            ("tiny.png", encoded(Image.new("RGB", (4, 4)), "PNG"), "image_too_small"),
            ("a.gif", encoded(Image.new("P", (40, 40)), "GIF"), "unsupported_image_format"),
            ("gif.jpg", encoded(Image.new("P", (40, 40)), "GIF"), "unsupported_image_format"),
            ("moving.webp", b"", "unsupported_image_format"),
            ("inner.zip", zipped(PHOTOS), "unsupported_image_format"),
            ("inner.jpg", zipped(PHOTOS), "unsupported_image_format"),
            ("lonely.txt", b"a caption of nothing", "unsupported_image_format"),
            ("0.txt", b"\xff\xfe", "value_error"),
            ("0.txt", b"x" * 3000, "string_too_long"),
            ("0.txt", b"x" * 9000, "file_too_large"),
        ],
    )
    def test_a_bad_file_is_refused_and_named(
        self, tmp_path: Path, name: str, content: bytes, kind: str
    ) -> None:
        if name == "wide.png":
            content = encoded(Image.new("1", (30_000, 30_000)), "PNG")
        if name == "moving.webp":
            frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
            content = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:])
        detail = refusal(lambda: check(album_file(tmp_path, zipped({**PHOTOS, name: content}))))
        assert (detail["type"], detail["ctx"]["file"]) == (kind, name)
        assert name in detail["msg"]

    @pytest.mark.parametrize(
        "name", ["../out.jpg", "/etc/out.jpg", "a/../../out.jpg", "c:\\out.jpg", "a\x1bb.jpg"]
    )
    def test_a_path_out_of_the_archive_is_refused(self, tmp_path: Path, name: str) -> None:
        path = album_file(tmp_path, zipped({**PHOTOS, name: PHOTOS["0.jpg"]}))
        assert refusal(lambda: check(path))["type"] == "value_error"
        assert [each.name for each in tmp_path.iterdir()] == ["album.zip"]

    def test_a_link_is_refused(self, tmp_path: Path) -> None:
        buffer = io.BytesIO(zipped(PHOTOS))
        with zipfile.ZipFile(buffer, "a") as opened:
            entry = zipfile.ZipInfo("link.jpg")
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            opened.writestr(entry, "/etc/passwd")
        assert "is a link" in refusal(lambda: check(album_file(tmp_path, buffer.getvalue())))["msg"]

    def test_an_encrypted_file_is_refused(self, tmp_path: Path) -> None:
        content = bytearray(zipped(PHOTOS))
        at = content.rfind(b"PK\x01\x02")
        content[at + 8] |= 1
        assert "encrypted" in refusal(lambda: check(album_file(tmp_path, bytes(content))))["msg"]

    def test_other_packing_is_refused(self, tmp_path: Path) -> None:
        path = album_file(tmp_path, zipped(PHOTOS, how=zipfile.ZIP_LZMA))
        assert "packed" in refusal(lambda: check(path))["msg"]

    @pytest.mark.parametrize("count", [3, MOST_PHOTOS + 1])
    def test_too_few_and_too_many_photos_are_refused(self, tmp_path: Path, count: int) -> None:
        files = dict.fromkeys((f"{number}.jpg" for number in range(count)), PHOTOS["0.jpg"])
        detail = refusal(lambda: check(album_file(tmp_path, zipped(files))))
        assert (detail["type"], detail["ctx"]["actual_length"]) == (
            "too_short" if count < 4 else "too_long",
            count,
        )

    def test_four_hundred_files_are_refused_before_any_is_read(self, tmp_path: Path) -> None:
        files = {f"{number}.jpg": b"not looked at" for number in range(400)}
        assert refusal(lambda: check(album_file(tmp_path, zipped(files))))["type"] == "too_long"

    def test_a_list_of_files_that_would_fill_the_memory_is_not_read(self, tmp_path: Path) -> None:
        files = {f"{number:0200}.jpg": b"" for number in range(2000)}
        assert refusal(lambda: check(album_file(tmp_path, zipped(files))))["type"] == "too_long"

    def test_two_files_of_one_name_are_refused(self, tmp_path: Path) -> None:
        buffer = io.BytesIO(zipped(PHOTOS))
        with zipfile.ZipFile(buffer, "a") as opened, pytest.warns(UserWarning, match="Duplicate"):
            opened.writestr("0.jpg", PHOTOS["1.jpg"])
        assert "same name" in refusal(lambda: check(album_file(tmp_path, buffer.getvalue())))["msg"]

    def test_bombs_are_refused_by_what_they_say_and_by_what_they_hold(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bomb = zipped({**PHOTOS, "bomb.jpg": bytes(16 * 1024 * 1024)})
        assert refusal(lambda: check(album_file(tmp_path, bomb)))["type"] == "file_too_large"
        liar = bytearray(bomb)
        at = liar.rfind(b"PK\x01\x02")
        liar[at + 24 : at + 28] = struct.pack("<L", 1000)
        assert refusal(lambda: check(album_file(tmp_path, bytes(liar))))["type"] in {
            "image_load_error",
            "unsupported_image_format",
        }
        monkeypatch.setattr(archive, "LARGEST_UNPACKED_BYTES", sum(map(len, PHOTOS.values())) - 1)
        assert refusal(lambda: check(album_file(tmp_path, zipped(PHOTOS))))["type"] == "file_too_large"

    @pytest.mark.parametrize(
        "content", [b"", b"no zip", zipped(PHOTOS)[:-30], zipped(PHOTOS)[3000:], b"PK\x05\x06"]
    )
    def test_what_is_no_zip_is_refused(self, tmp_path: Path, content: bytes) -> None:
        assert refusal(lambda: check(album_file(tmp_path, content)))["type"] == "image_load_error"


class TestArchives:
    @pytest.fixture
    def archives(self, tmp_path: Path) -> Archives:
        """Those of a server on a fixed address."""
        return Archives(files=FileStore(tmp_path, now=lambda: 1000.0), files_url="http://engine/files/")

    def test_an_uploaded_zip_stays_where_it_is_and_is_not_ours(self, archives: Archives) -> None:
        name = archives.files.new_name("application/zip", lifetime_s=60)
        archives.files.keep(name, album())
        taken = archives.take_in({"images_data_url": f"http://engine/files/{name}"})
        assert taken == {"images_data_url": f"http://engine/files/{name}", "is_archive_ours": False}
        archives.drop(taken)
        assert archives.files.find(name) is not None

    def test_an_inline_zip_becomes_a_file_of_the_training(self, archives: Archives, tmp_path: Path) -> None:
        taken = archives.take_in({"images_data_url": inline(album())})
        assert check(archives.open(taken["images_data_url"])) == 6
        archives.drop(taken)
        archives.drop(taken)
        assert list(tmp_path.iterdir()) == []

    def test_a_refused_inline_zip_leaves_nothing(self, archives: Archives, tmp_path: Path) -> None:
        refusal(lambda: archives.take_in({"images_data_url": inline(album(2))}))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("address", "kind"),
        [
            ("https://example.com/photos.zip", "file_download_error"),
            ("http://engine/files/ff-nothing.zip", "file_download_error"),
            ("http://engine/files/../journal.sqlite", "file_download_error"),
            ("/etc/passwd", "file_download_error"),
            ("data:application/zip,raw", "image_load_error"),
            ("data:application/zip;base64,*", "image_load_error"),
        ],
    )
    def test_every_other_address_is_refused(self, archives: Archives, address: str, kind: str) -> None:
        assert refusal(lambda: archives.take_in({"images_data_url": address}))["type"] == kind

    def test_one_of_too_many_bytes_is_refused(
        self, archives: Archives, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(archive, "LARGEST_INLINE_ZIP_BYTES", 99)
        assert (
            refusal(lambda: archives.take_in({"images_data_url": inline(album())}))["type"]
            == "file_too_large"
        )
