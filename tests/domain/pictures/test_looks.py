"""What is measured of a photo tells good ones from blurred, dark and doubled ones."""

import json

import pytest
from PIL import Image, ImageEnhance, ImageFilter

from starbooth.domain.pictures.faces import can_find_faces, find_faces
from starbooth.domain.pictures.looks import differences, look_at, read_looks
from tests.make.photos import as_bytes, draw_person, draw_thing

needs_faces = pytest.mark.skipif(not can_find_faces(), reason="no detector of faces for this machine")


class TestLookAt:
    def test_blurring_takes_sharpness_and_shrinking_does_not(self) -> None:
        image = draw_thing(1, width_px=1600, height_px=1280)
        sharp = look_at(as_bytes(image)).sharpness
        blurred = look_at(as_bytes(image.filter(ImageFilter.GaussianBlur(8)))).sharpness
        small = look_at(as_bytes(image.resize((800, 640)))).sharpness
        assert blurred < 12 < sharp / 5
        assert small > sharp / 3

    def test_a_sharp_subject_before_a_soft_background_is_sharp(self) -> None:
        soft = draw_thing(1).filter(ImageFilter.GaussianBlur(12))
        soft.paste(draw_thing(2).crop((0, 0, 200, 160)), (220, 170))
        assert look_at(as_bytes(soft)).sharpness > 100

    def test_light_is_the_mean(self) -> None:
        image = Image.new("RGB", (300, 300), "white")
        assert look_at(as_bytes(image)).light > 250
        assert look_at(as_bytes(ImageEnhance.Brightness(image).enhance(0.1))).light < 30

    def test_the_same_picture_resembles_itself_however_it_was_sent(self) -> None:
        image = draw_thing(3)
        original = look_at(as_bytes(image))
        for other in (image.resize((320, 256)), image.crop((6, 5, 636, 508))):
            bits, steps = differences(original, look_at(as_bytes(other, quality=60)))
            assert (bits <= 8, steps <= 12) == (True, True)

    def test_other_pictures_do_not(self) -> None:
        looks = [look_at(as_bytes(draw_thing(number))) for number in range(6)]
        apart = [differences(one, other) for one in looks for other in looks if one is not other]
        assert all(bits > 8 or steps > 12 for bits, steps in apart)

    def test_empty_pictures_of_other_colours_do_not_either(self) -> None:
        one, other = (look_at(as_bytes(Image.new("RGB", (300, 300), each))) for each in ("red", "blue"))
        assert differences(one, other)[1] > 12

    def test_it_comes_back_from_the_database_as_it_went(self) -> None:
        looks = look_at(as_bytes(draw_person()))
        kept = json.loads(json.dumps(looks.to_json()))
        assert read_looks(kept).to_json() == looks.to_json()
        assert differences(read_looks(kept), looks) == (0, 0)


@needs_faces
class TestFaces:
    def test_one_face_is_found_where_it_is(self) -> None:
        (face,) = find_faces(draw_person(faces=[(0.3, 0.35, 0.4)])) or ()
        assert face.left < 0.3 < face.left + face.width
        assert face.top < 0.35 < face.top + face.height
        assert 0.2 < face.width < 0.5

    def test_each_of_several_is_found(self) -> None:
        assert len(find_faces(draw_person(faces=[(0.25, 0.3, 0.4), (0.75, 0.6, 0.4)])) or ()) == 2

    def test_somebody_far_behind_is_not_meant(self) -> None:
        assert len(find_faces(draw_person(faces=[(0.35, 0.45, 0.6), (0.9, 0.12, 0.1)])) or ()) == 1

    def test_there_is_none_in_a_picture_of_things(self) -> None:
        assert [find_faces(draw_thing(number)) for number in range(4)] == [()] * 4

    def test_a_turned_head_is_less_like_its_mirror_image(self) -> None:
        front = look_at(as_bytes(draw_person()))
        person = draw_person()
        person.paste("black", (320, 0, 640, 800))  # in the shade on one side, as a profile is
        shaded = look_at(as_bytes(Image.blend(draw_person(), person, 0.5)))
        assert front.sided is not None
        assert shaded.sided is not None
        assert front.sided < 0.12 < shaded.sided
