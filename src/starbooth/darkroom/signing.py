"""The server's own secrets, made once and kept in its folder: the webhook key (Ed25519) and the upload token
secret.
"""

import base64
import hashlib
import hmac
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


class WebhookKey:
    """Signs webhooks as fal does: hex Ed25519 of id, user, time and the body's hash, joined by line feeds."""

    def __init__(self, private: Ed25519PrivateKey, *, user_id: str) -> None:
        self._private = private
        self._user_id = user_id

    @classmethod
    def of_folder(cls, folder: Path, *, user_id: str) -> "WebhookKey":
        """The key of this folder, made at the first call; only the owner of the file may read it."""
        new = Ed25519PrivateKey.generate()
        raw = new.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return cls(Ed25519PrivateKey.from_private_bytes(_kept(folder / "webhook.key", raw)), user_id=user_id)

    def headers(self, *, request_id: str, body: bytes, at: int) -> dict[str, str]:
        """fal's four signature headers for exactly these bytes, sent at this Unix second."""
        digest = hashlib.sha256(body).hexdigest()
        message = "\n".join([request_id, self._user_id, str(at), digest]).encode()
        return {
            "X-Fal-Webhook-Request-Id": request_id,
            "X-Fal-Webhook-User-Id": self._user_id,
            "X-Fal-Webhook-Timestamp": str(at),
            "X-Fal-Webhook-Signature": self._private.sign(message).hex(),
        }

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public key in the form of /.well-known/jwks.json."""
        raw = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        return {"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "x": x}]}


class UploadTokens:
    """Bearer tokens for uploads: an expiry and its HMAC-SHA256, valid across restarts."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    def of_folder(cls, folder: Path) -> "UploadTokens":
        """Tokens under the secret of this folder, made at the first call."""
        return cls(_kept(folder / "upload.key", secrets.token_bytes(32)))

    def issue(self, *, expires_at: int) -> str:
        """A token valid until this Unix second."""
        return f"{expires_at}.{self._signature(expires_at)}"

    def is_valid(self, token: str, *, now: float) -> bool:
        """Whether we issued it and it has not expired. Compares in constant time."""
        expires_at, _, signature = token.partition(".")
        if not (expires_at.isascii() and expires_at.isdigit() and len(expires_at) < 12):
            return False
        is_ours = hmac.compare_digest(self._signature(int(expires_at)).encode(), signature.encode())
        return is_ours and now < int(expires_at)

    def _signature(self, expires_at: int) -> str:
        return hmac.new(self._secret, f"upload {expires_at}".encode(), hashlib.sha256).hexdigest()


def _kept(path: Path, new: bytes) -> bytes:
    """The bytes of a secret file, which is written with `new` if it is not there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".new")
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(new)
        unfinished.replace(path)
    return path.read_bytes()
