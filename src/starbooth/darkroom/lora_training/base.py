"""Tells base models apart, since a LoRA fits only the one that it was made for. Knows files, no torch."""

import hashlib
from pathlib import Path

SAMPLE_BYTES = 64 * 1024


def fingerprint(folder: Path) -> str:
    """32 hex letters that tell the transformer in a diffusers folder from all others.

    Of its files the sizes and the first `SAMPLE_BYTES` count, which hold the names, shapes and some of the
    numbers: reading all of a large model would take a minute at every start.
    """
    digest = hashlib.sha256()
    for path in sorted((folder / "transformer").iterdir()):
        if path.suffix in {".json", ".safetensors"}:
            with path.open("rb") as file:
                digest.update(f"{path.name} {path.stat().st_size}\n".encode())
                digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()[:32]
