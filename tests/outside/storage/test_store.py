"""Storage on a disk and in a bucket."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from starbooth.base.errors import SettingError, Unavailable
from starbooth.outside.storage.contract import Storage, StorageUnavailable, StoredFileMissing
from starbooth.outside.storage.store import check_key, open_storage
from tests.outside.storage.bucket import Bucket

KEY = "pictures/c123/0.png"
WRONG_KEYS = [
    "",
    "/etc/passwd",
    "..",
    "a/../b",
    "a/./b",
    "a//b",
    "a/",
    ".hidden",
    "a/.hidden",
    "a b",
    "a\\b",
    "a\nb",
    "a\x00b",
    "a?b",
    "a#1",
    "a%2e",
    "é",
    "a" * 129,
    "/".join("a" * 9),
]


class TestStorage:
    async def test_what_was_put_is_what_comes_back(self, storage: Storage) -> None:
        body = bytes(range(256)) * 400
        await storage.put(KEY, body, "image/png")
        assert await storage.get(KEY) == body
        assert await storage.size(KEY) == len(body)

    async def test_a_second_put_replaces_the_first(self, storage: Storage) -> None:
        await storage.put(KEY, b"first and longer", "image/png")
        await storage.put(KEY, b"second", "image/png")
        assert await storage.get(KEY) == b"second"

    async def test_a_file_goes_in_from_the_disk_and_comes_out_in_pieces(
        self, storage: Storage, tmp_path: Path
    ) -> None:
        body = bytes(range(256)) * 12_000
        (tmp_path / "large").write_bytes(body)
        await storage.put_file(KEY, tmp_path / "large", "application/zip")
        pieces = [piece async for piece in storage.stream(KEY)]
        assert b"".join(pieces) == body
        assert await storage.get(KEY) == body

    async def test_the_pieces_of_nothing_are_missing(self, storage: Storage) -> None:
        with pytest.raises(StoredFileMissing, match=KEY):
            await anext(storage.stream(KEY))

    async def test_a_file_tells_its_size_and_when_it_was_put(self, storage: Storage) -> None:
        await storage.put(KEY, b"seven..", "image/png")
        found = await storage.look_at(KEY)
        assert (found.key, found.size_bytes) == (KEY, 7)
        assert found.stored_at.tzinfo is not None
        assert [each async for each in storage.list_files("pictures")] == [found]

    async def test_an_empty_file_is_a_file(self, storage: Storage) -> None:
        await storage.put(KEY, b"", "image/png")
        assert (await storage.get(KEY), await storage.size(KEY)) == (b"", 0)

    async def test_what_is_not_there_is_missing(self, storage: Storage) -> None:
        with pytest.raises(StoredFileMissing, match=KEY):
            await storage.get(KEY)
        with pytest.raises(StoredFileMissing, match=KEY):
            await storage.size(KEY)

    async def test_a_folder_is_not_a_file(self, storage: Storage) -> None:
        await storage.put(KEY, b"x", "image/png")
        with pytest.raises((StoredFileMissing, StorageUnavailable)):
            await storage.get("pictures/c123")

    async def test_a_deleted_file_is_missing_and_deleting_again_is_harmless(self, storage: Storage) -> None:
        await storage.put(KEY, b"x", "image/png")
        await storage.delete(KEY)
        await storage.delete(KEY)
        with pytest.raises(StoredFileMissing):
            await storage.get(KEY)

    async def test_a_list_has_the_folder_and_what_is_below_it(self, storage: Storage) -> None:
        for key in ("a/1.png", "a/b/2.png", "ab/3.png", "4.png"):
            await storage.put(key, b"x", "image/png")
        assert sorted([key async for key in storage.list("a")]) == ["a/1.png", "a/b/2.png"]
        assert sorted([key async for key in storage.list()]) == ["4.png", "a/1.png", "a/b/2.png", "ab/3.png"]
        assert [key async for key in storage.list("nothing")] == []

    async def test_a_wrong_key_reaches_nothing(self, storage: Storage) -> None:
        for key in WRONG_KEYS:
            with pytest.raises(ValueError, match="not a storage key"):
                await storage.put(key, b"x", "image/png")
            for call in (storage.get, storage.delete, storage.size, storage.look_at):
                with pytest.raises(ValueError, match="not a storage key"):
                    await call(key)
        assert [key async for key in storage.list()] == []

    async def test_health_leaves_nothing_behind(self, storage: Storage) -> None:
        assert "keeps and gives back" in await storage.health()
        assert [key async for key in storage.list()] == []


class TestCheckKey:
    @pytest.mark.parametrize("key", ["a", "0", KEY, "a-b_c.d/E.png", "a" * 128, "/".join("a" * 8)])
    def test_folders_and_names_pass(self, key: str) -> None:
        check_key(key)


class TestBucket:
    async def test_the_prefix_and_the_content_type_arrive(self, bucket: Bucket) -> None:
        await open_storage("s3://photos/booth/one").put(KEY, b"x", "image/png")
        assert bucket.files == {f"booth/one/{KEY}": (b"x", "image/png")}

    async def test_without_a_prefix_the_bucket_is_the_root(self, bucket: Bucket) -> None:
        await open_storage("s3://photos").put(KEY, b"x", "image/png")
        assert list(bucket.files) == [KEY]

    async def test_a_bucket_that_fails_is_unavailable(self, bucket: Bucket) -> None:
        bucket.is_broken = True
        with pytest.raises(StorageUnavailable) as failed:
            await open_storage("s3://photos").get(KEY)
        assert isinstance(failed.value, Unavailable)

    async def test_refused_credentials_are_unavailable_and_not_told(
        self, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone-else")
        with pytest.raises(StorageUnavailable) as failed:
            await open_storage("s3://photos").put(KEY, b"x", "image/png")
        assert "test-secret" not in str(failed.value)


class TestDisk:
    async def test_the_folder_is_ours_alone(self, tmp_path: Path) -> None:
        open_storage(f"file://{tmp_path}/deep/storage")
        assert stat.S_IMODE((tmp_path / "deep" / "storage").stat().st_mode) == 0o700

    async def test_a_key_is_a_path_in_the_folder(self, tmp_path: Path) -> None:
        await open_storage(f"file://{tmp_path}/storage").put(KEY, b"x", "image/png")
        assert (tmp_path / "storage" / KEY).read_bytes() == b"x"

    async def test_a_full_or_broken_disk_is_unavailable(self, tmp_path: Path) -> None:
        storage = open_storage(f"file://{tmp_path}")
        (tmp_path / "pictures").write_bytes(b"a file where a folder should be")
        with pytest.raises(StorageUnavailable):
            await storage.put(KEY, b"x", "image/png")

    def test_a_killed_process_leaves_no_half_file(self, tmp_path: Path) -> None:
        size = 8_000_000
        program = (
            "import asyncio, itertools; from starbooth.outside.storage.store import open_storage\n"
            "async def main():\n"
            f"    storage = open_storage('file://{tmp_path}')\n"
            "    for i in itertools.count(): \n"
            f"        await storage.put('a/0.bin', bytes([i % 256]) * {size}, 'x/x'); print(i, flush=True)\n"
            "asyncio.run(main())\n"
        )
        for pause_s in (0.0, 0.003, 0.011):
            with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as writer:
                assert writer.stdout is not None
                writer.stdout.readline()
                time.sleep(pause_s)
                os.kill(writer.pid, signal.SIGKILL)
            body = (tmp_path / "a" / "0.bin").read_bytes()
            assert body == body[:1] * size


class TestOpenStorage:
    @pytest.mark.parametrize(
        ("url", "advice"),
        [
            ("", "must begin with"),
            ("/srv/files", "must begin with"),
            ("http://example.com/x", "must begin with"),
            ("memory:///", "must begin with"),
            ("ftp://x/y", "must begin with"),
            ("file://relative/folder", "absolute"),
            ("file://", "absolute"),
            ("s3://", "names no bucket"),
            ("s3:///prefix", "names no bucket"),
            ("s3://id:secret@photos", "no credentials"),
            ("s3://photos?x=1", "no query"),
        ],
    )
    def test_a_wrong_address_names_the_setting(self, url: str, advice: str) -> None:
        with pytest.raises(SettingError, match=advice) as refused:
            open_storage(url)
        assert refused.value.setting == "STARBOOTH_STORAGE"
        assert "secret" not in str(refused.value)

    def test_a_file_in_the_folders_place_names_the_setting(self, tmp_path: Path) -> None:
        (tmp_path / "storage").write_bytes(b"")
        with pytest.raises(SettingError, match="cannot be made"):
            open_storage(f"file://{tmp_path}/storage")
