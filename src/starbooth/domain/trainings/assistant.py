"""The photo assistant: which photos of a set are bad and why, what is missing, and where faces are cut out.

Advice only: what is hopeless was refused when it came (`intake`). Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.pictures.cropping import Box, crop_box
from starbooth.domain.pictures.looks import differences
from starbooth.domain.trainings.photo_sets import SetPhoto

_GOOD_SIDE_PX = 512
_LEAST_SHARP = 12.0  # a photo blurred by two pixels of 512 has less, a sharp one thirty and more
_LEAST_LIGHT = 45.0
_MOST_TWIN_BITS = 8
_MOST_TWIN_STEPS = 12.0
_FROM_THE_SIDE = 0.2
_CLOSE, _FAR = 0.33, 0.25  # a face's height, of the photo's
_SAME_LIGHT = 20.0
_ENOUGH_TO_ADVISE = 3
_MOST_ADVICE = 2


class Flaw(StrEnum):
    """What is wrong with a photo that can still be learned from."""

    SMALL = "small"
    DARK = "dark"
    BLURRED = "blurred"
    TWIN = "twin"
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"


class Advice(StrEnum):
    """What would make a set of photos of a person better."""

    SIDES = "sides"
    CLOSE = "close"
    FAR = "far"
    LIGHT = "light"


@dataclass(frozen=True, kw_only=True)
class Note:
    """One thing about one photo. twin_of: the number of the photo that it resembles."""

    number: int
    flaw: Flaw
    twin_of: int | None = None


@dataclass(frozen=True, kw_only=True)
class Review:
    """What there is to say of a set. missing: photos to the least that can be learned from. wanted: to
    as many as are good.
    """

    notes: tuple[Note, ...]
    advice: tuple[Advice, ...]
    missing: int
    wanted: int

    @property
    def marked(self) -> frozenset[int]:
        """The numbers of the photos that something is wrong with."""
        return frozenset(each.number for each in self.notes)


def review(photos: Sequence[SetPhoto], lora_type: LoraType | None, *, least: int, good: int) -> Review:
    """Look through a set. Faces matter for PORTRAIT alone. least, good: how many photos it takes."""
    notes = [note for photo in photos for note in _look(photo, photos, lora_type)]
    return Review(
        notes=tuple(notes),
        advice=_advise(photos) if lora_type is LoraType.PORTRAIT else (),
        missing=max(0, least - len(photos)),
        wanted=max(0, good - len(photos)),
    )


def cut_of(photo: SetPhoto, lora_type: LoraType | None) -> Box | None:
    """Where this photo is to be cut to the person; None where it stays as it is."""
    faces = photo.looks.faces or ()
    if lora_type is not LoraType.PORTRAIT or photo.keeps_whole or photo.is_cut or len(faces) != 1:
        return None
    return crop_box(faces[0], width_px=photo.width_px, height_px=photo.height_px)


def _look(photo: SetPhoto, photos: Sequence[SetPhoto], lora_type: LoraType | None) -> list[Note]:
    looks = photo.looks
    is_dark = looks.light < _LEAST_LIGHT
    flaws = [
        (Flaw.SMALL, photo.given_px < _GOOD_SIDE_PX),
        (Flaw.DARK, is_dark),
        (Flaw.BLURRED, looks.sharpness < _LEAST_SHARP and not is_dark),  # the dark has no edges to see
    ]
    if lora_type is LoraType.PORTRAIT and looks.faces is not None:
        flaws.append((Flaw.NO_FACE, not looks.faces))
        flaws.append((Flaw.SEVERAL_FACES, len(looks.faces) > 1))
    notes = [Note(number=photo.number, flaw=flaw) for flaw, is_so in flaws if is_so]
    twin = next(
        (each.number for each in photos if each.number < photo.number and _are_twins(each, photo)), None
    )
    if twin is not None:
        notes.append(Note(number=photo.number, flaw=Flaw.TWIN, twin_of=twin))
    return notes


def _are_twins(one: SetPhoto, other: SetPhoto) -> bool:
    bits, steps = differences(one.looks, other.looks)
    return bits <= _MOST_TWIN_BITS and steps <= _MOST_TWIN_STEPS


def _advise(photos: Sequence[SetPhoto]) -> tuple[Advice, ...]:
    looks = [each.looks for each in photos if each.looks.faces]
    if len(looks) < _ENOUGH_TO_ADVISE:
        return ()
    heights = [each.faces[0].height for each in looks if each.faces]
    lights = [each.light for each in looks]
    sides = sum(1 for each in looks if each.sided is not None and each.sided >= _FROM_THE_SIDE)
    missing = [
        (Advice.SIDES, sides < 2),
        (Advice.CLOSE, max(heights) < _CLOSE),
        (Advice.FAR, min(heights) > _FAR),
        (Advice.LIGHT, max(lights) - min(lights) < _SAME_LIGHT),
    ]
    return tuple(advice for advice, is_missing in missing if is_missing)[:_MOST_ADVICE]
