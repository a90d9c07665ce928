"""A zip gives what photos it has; what is no photo, or wants to do harm, is named and left."""

import zipfile
import zlib
from collections.abc import Sequence

import pytest

from starbooth.domain.pictures import photo_zip
from starbooth.domain.pictures.errors import PhotoFlaw, PhotoUnreadable
from starbooth.domain.pictures.photo_zip import MOST_ENTRIES, Entry, is_zip, read_zip, shown_name
from tests.make.photos import zip_of


def entries(body: bytes) -> Sequence[Entry]:
    return list(read_zip(body))


def flaw(body: bytes) -> tuple[PhotoFlaw, int]:
    with pytest.raises(PhotoUnreadable) as refusal:
        entries(body)
    return refusal.value.reason, refusal.value.limit


class TestReadZip:
    def test_every_file_comes_with_its_name_and_bytes(self) -> None:
        found = entries(zip_of([("a.jpg", b"one"), ("holiday/b.jpg", b"two"), ("holiday/", b"")]))
        assert [(each.name, each.body) for each in found] == [("a.jpg", b"one"), ("b.jpg", b"two")]

    def test_two_of_the_same_name_are_two(self) -> None:
        with pytest.warns(UserWarning, match="Duplicate name"):
            body = zip_of([("a.jpg", b"one"), ("a.jpg", b"two")])
        assert [(each.number, each.body) for each in entries(body)] == [(0, b"one"), (1, b"two")]

    @pytest.mark.parametrize(
        "path", ["../../etc/passwd", "/etc/passwd", "..\\..\\passwd", "C:\\users\\passwd", "a/../passwd"]
    )
    def test_a_path_is_a_name_and_nothing_more(self, path: str) -> None:
        assert entries(zip_of([(path, b"x")]))[0].name == "passwd"

    def test_what_computers_add_is_passed_over(self) -> None:
        names = ["__MACOSX/._a.jpg", "._a.jpg", ".DS_Store", "Thumbs.db", "b/desktop.ini"]
        assert entries(zip_of([(name, b"x") for name in names])) == []

    def test_a_zip_in_a_zip_is_named_and_left(self) -> None:
        (found,) = entries(zip_of([("more.zip", zip_of([("a.jpg", b"one")]))]))
        assert (found.name, found.body, found.flaw) == ("more.zip", None, PhotoFlaw.ZIP_IN_A_ZIP)

    def test_a_locked_file_is_named_and_left(self) -> None:
        body = zip_of([("a.jpg", b"one")], packing=zipfile.ZIP_STORED).replace(
            b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00"
        )
        assert [(each.name, each.flaw) for each in entries(body)] == [("a.jpg", PhotoFlaw.ENCRYPTED)]

    def test_a_packing_that_takes_much_memory_is_named_and_left(self) -> None:
        assert (
            entries(zip_of([("a.jpg", b"one")], packing=zipfile.ZIP_LZMA))[0].flaw is PhotoFlaw.NOT_A_PICTURE
        )

    def test_a_damaged_file_harms_no_other(self) -> None:
        body = zip_of([("a.jpg", b"one" * 100), ("b.jpg", b"two")], packing=zipfile.ZIP_STORED)
        found = entries(body.replace(b"oneone", b"onEonE", 1))
        assert [(each.name, each.body, each.flaw) for each in found] == [
            ("a.jpg", None, PhotoFlaw.NOT_A_PICTURE),
            ("b.jpg", b"two", None),
        ]


class TestBombs:
    def test_a_file_that_unpacks_to_more_than_a_photo_has_is_left(self) -> None:
        body = zip_of([("a.jpg", bytes(21 << 20)), ("b.jpg", b"two")])
        assert len(body) < 100_000
        assert [(each.body, each.flaw) for each in entries(body)] == [
            (None, PhotoFlaw.TOO_LARGE),
            (b"two", None),
        ]

    def test_the_sizes_that_it_says_are_not_believed(self) -> None:
        body = bytearray(zip_of([("a.jpg", bytes(21 << 20))]))
        at = body.index(b"PK\x01\x02") + 24
        body[at : at + 4] = (10).to_bytes(4, "little")
        (found,) = entries(bytes(body))
        assert len(found.body or b"") <= 10

    def test_many_files_that_come_to_too_much_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(photo_zip, "MOST_UNPACKED_MB", 5)
        assert flaw(zip_of([(f"{n}.jpg", bytes(1 << 20)) for n in range(6)])) == (PhotoFlaw.TOO_LARGE, 5)

    def test_too_many_files_are_refused_before_their_list_is_read(self) -> None:
        body = zip_of([(f"{n}.jpg", b"") for n in range(MOST_ENTRIES + 1)])
        assert flaw(body) == (PhotoFlaw.TOO_MANY_FILES, MOST_ENTRIES)

    @pytest.mark.parametrize("cut", [30, 60, 90])
    def test_half_a_zip_is_refused(self, cut: int) -> None:
        assert flaw(zip_of([("a.jpg", b"one")])[:cut])[0] is PhotoFlaw.NOT_A_ZIP


class TestNames:
    def test_what_could_turn_or_break_a_line_is_taken_out(self) -> None:
        assert shown_name("a/evil\u202egnp.\n\x00jpg") == "evilgnp.jpg"

    def test_a_long_one_is_cut(self) -> None:
        assert len(shown_name("x" * 500)) == 40

    def test_a_photo_is_no_zip(self) -> None:
        assert not is_zip(b"\xff\xd8\xff" + zlib.compress(b"x"))
