"""Files under unguessable names, upload tokens, and the webhook key."""

import hashlib
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from starbooth.darkroom.files import FileStore, content_type_of, is_shown
from starbooth.darkroom.signing import UploadTokens, WebhookKey


class Clock:
    """Unix time that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


class TestFileStore:
    def test_a_file_is_found_until_it_expires(self, tmp_path: Path) -> None:
        clock = Clock()
        store = FileStore(tmp_path, now=clock)
        name = store.new_name("image/png", lifetime_s=60)
        store.keep(name, b"picture")
        found = store.find(name)
        assert found is not None
        assert found.read_bytes() == b"picture"
        clock.time += 60
        assert store.find(name) is None

    def test_a_later_expiry_written_into_the_name_finds_nothing(self, tmp_path: Path) -> None:
        store = FileStore(tmp_path, now=Clock())
        name = store.new_name("image/png", lifetime_s=60)
        store.keep(name, b"picture")
        expiry, _, rest = name.partition("-")
        assert store.find(f"{int(expiry, 16) + 1:x}-{rest}") is None

    @pytest.mark.parametrize("name", ["../journal.sqlite", "a", "", ".new-x", "6b05387d-short.png", "..\\x"])
    def test_strange_names_find_nothing_and_are_not_written(self, tmp_path: Path, name: str) -> None:
        store = FileStore(tmp_path / "files", now=Clock())
        assert store.find(name) is None
        with pytest.raises(ValueError, match="not a file name"):
            store.keep(name, b"x")

    def test_sweeping_deletes_what_has_expired_and_nothing_else(self, tmp_path: Path) -> None:
        clock = Clock()
        store = FileStore(tmp_path, now=clock)
        short, long = (store.new_name("image/png", lifetime_s=s) for s in (60, 600))
        store.keep(short, b"1")
        store.keep(long, b"2")
        clock.time += 61
        assert store.sweep() == 1
        assert [path.name for path in tmp_path.iterdir()] == [long]

    def test_sweeping_deletes_pieces_of_writes_that_never_ended(self, tmp_path: Path) -> None:
        clock = Clock()
        store = FileStore(tmp_path, now=clock)
        piece = tmp_path / ".new-abc"
        piece.touch()
        clock.time = piece.stat().st_mtime + 3600
        assert store.sweep() == 0
        clock.time += 24 * 3600
        assert store.sweep() == 1

    def test_names_do_not_repeat(self, tmp_path: Path) -> None:
        store = FileStore(tmp_path, now=Clock())
        assert len({store.new_name("image/png", lifetime_s=1) for _ in range(1000)}) == 1000

    @pytest.mark.parametrize(
        ("declared", "served", "shown"),
        [
            ("image/png", "image/png", True),
            ("image/jpeg; q=1", "image/jpeg", True),
            ("application/zip", "application/zip", False),
            ("text/html", "application/octet-stream", False),
            ("image/svg+xml", "application/octet-stream", False),
            ("../../x", "application/octet-stream", False),
        ],
    )
    def test_only_known_kinds_keep_their_type(
        self, tmp_path: Path, declared: str, served: str, shown: bool
    ) -> None:
        name = FileStore(tmp_path, now=Clock()).new_name(declared, lifetime_s=60)
        assert (content_type_of(name), is_shown(name)) == (served, shown)


class TestUploadTokens:
    def test_a_token_is_valid_until_it_expires(self) -> None:
        tokens = UploadTokens(b"secret")
        token = tokens.issue(expires_at=100)
        assert tokens.is_valid(token, now=99.9)
        assert not tokens.is_valid(token, now=100)

    def test_it_survives_a_restart_on_the_same_folder(self, tmp_path: Path) -> None:
        token = UploadTokens.of_folder(tmp_path).issue(expires_at=100)
        assert UploadTokens.of_folder(tmp_path).is_valid(token, now=1)

    @pytest.mark.parametrize("token", ["", ".", "200.", "x.y", "99999999999999.ab", "١٠٠.ab", "-1.ab"])
    def test_rubbish_is_refused(self, token: str) -> None:
        assert not UploadTokens(b"secret").is_valid(token, now=1)

    def test_another_expiry_or_another_secret_is_refused(self) -> None:
        token = UploadTokens(b"secret").issue(expires_at=100)
        assert not UploadTokens(b"secret").is_valid(token.replace("100.", "200."), now=1)
        assert not UploadTokens(b"other").is_valid(token, now=1)


class TestWebhookKey:
    def test_it_signs_id_user_time_and_hash_of_the_body(self) -> None:
        private = Ed25519PrivateKey.generate()
        headers = WebhookKey(private, user_id="me").headers(request_id="r1", body=b"{}", at=1234)
        message = "\n".join(["r1", "me", "1234", hashlib.sha256(b"{}").hexdigest()]).encode()
        signature = bytes.fromhex(headers["X-Fal-Webhook-Signature"])
        private.public_key().verify(signature, message)
        with pytest.raises(InvalidSignature):
            private.public_key().verify(signature, message + b"\n")

    def test_the_key_of_a_folder_stays_and_only_its_owner_may_read_it(self, tmp_path: Path) -> None:
        first = WebhookKey.of_folder(tmp_path, user_id="me").jwks()
        assert WebhookKey.of_folder(tmp_path, user_id="me").jwks() == first
        assert (tmp_path / "webhook.key").stat().st_mode & 0o077 == 0
