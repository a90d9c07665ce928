"""The photo packs there are, as `packs.toml` has them. Pure.

A pack is for models of one type. Its prompts speak of `{subject}`, which is the model's trigger word.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.generations.asking import Series
from starbooth.domain.packs.errors import NoSuchPack
from starbooth.domain.users.guests import Language

SIZES = (8, 20, 40)
_SUBJECT = "{subject}"


@dataclass(frozen=True, kw_only=True)
class PhotoPack:
    """One pack. title, told: what it is called and what is in it, by language. sign: an emoji before both."""

    name: str
    lora_type: LoraType
    sign: str
    title: Mapping[Language, str]
    told: Mapping[Language, str]
    prompts: tuple[str, ...]

    def series(self, size: int, *, subject: str) -> Series:
        """The first `size` pictures of the pack. subject: the trigger word; empty where a model has none."""
        return Series(name=self.name, prompts=tuple(_about(subject, each) for each in self.prompts[:size]))


@cache
def photo_packs() -> tuple[PhotoPack, ...]:
    """All of them, in the order in which they are shown."""
    with (Path(__file__).parent / "packs.toml").open("rb") as source:
        return tuple(_read(facts) for facts in tomllib.load(source)["pack"])


def packs_for(lora_type: LoraType) -> tuple[PhotoPack, ...]:
    """Those that models of this type can be asked for."""
    return tuple(pack for pack in photo_packs() if pack.lora_type is lora_type)


def find_pack(name: str, *, lora_type: LoraType, size: int) -> PhotoPack:
    """The pack of this name. Raises: NoSuchPack, also for another type and for a size that is not sold."""
    found = next((pack for pack in packs_for(lora_type) if pack.name == name), None)
    if found is None or size not in SIZES:
        raise NoSuchPack
    return found


def _read(facts: Mapping[str, object]) -> PhotoPack:
    title, told, prompts = facts["title"], facts["told"], facts["prompts"]
    assert isinstance(title, Mapping)
    assert isinstance(told, Mapping)
    assert isinstance(prompts, list)
    return PhotoPack(
        name=str(facts["name"]),
        lora_type=LoraType(str(facts["lora_type"])),
        sign=str(facts["sign"]),
        title={Language(code): str(words) for code, words in title.items()},
        told={Language(code): str(words) for code, words in told.items()},
        prompts=tuple(map(str, prompts)),
    )


def _about(subject: str, prompt: str) -> str:
    """The prompt about this subject; about somebody, or about its things alone, where nobody is named."""
    if not subject.strip():
        return prompt.removeprefix(f"{_SUBJECT}, ").replace(_SUBJECT, "a person")
    return prompt.replace(_SUBJECT, subject.strip())
