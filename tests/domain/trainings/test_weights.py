"""What is taken for a LoRA: safetensors that are whole, and nothing that could run."""

import json
import pickle
import zipfile
from io import BytesIO

import pytest

from starbooth.domain.trainings.weights import BrokenWeights, examine_weights, strip_config
from tests.make.trainings import as_safetensors, make_weights


class TestWeights:
    def test_a_lora_is_told_by_its_matrices(self) -> None:
        facts = examine_weights(make_weights(rank=4))
        assert (facts.tensors, facts.rank) == (2, 4)

    def test_a_tensor_of_nothing_is_fine(self) -> None:
        header = {"a.lora_A.weight": {"dtype": "BF16", "shape": [0, 8], "data_offsets": [0, 0]}}
        assert examine_weights(as_safetensors(header, b"")).rank == 0

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"\x80\x04",
            pickle.dumps({"lora_A": [1.0] * 100}),
            b"<!doctype html><title>Not found</title>" * 9,
            b"\xff" * 64,
            (2**63).to_bytes(8, "little") + b"{}",
            as_safetensors({}, b""),
            as_safetensors({"__metadata__": {"lora": "yes"}}, b""),
            (4).to_bytes(8, "little") + b"[[]]",
            (60_000).to_bytes(8, "little") + b"[" * 60_000,
        ],
    )
    def test_what_is_no_safetensors_is_refused(self, body: bytes) -> None:
        with pytest.raises(BrokenWeights):
            examine_weights(body)

    def test_a_zip_as_torch_saves_it_is_refused(self) -> None:
        saved = BytesIO()
        with zipfile.ZipFile(saved, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps({"lora_A": 1}))
        with pytest.raises(BrokenWeights):
            examine_weights(saved.getvalue())

    @pytest.mark.parametrize("more", [-1, -16, 1, 4096])
    def test_a_file_that_is_cut_or_hides_something_is_refused(self, more: int) -> None:
        body = make_weights()
        changed = body[:more] if more < 0 else body + b"x" * more
        with pytest.raises(BrokenWeights, match="cut"):
            examine_weights(changed)

    @pytest.mark.parametrize(
        "facts",
        [
            None,
            {"dtype": "F32", "shape": [4], "data_offsets": [0, 12]},
            {"dtype": "F32", "shape": [4], "data_offsets": [16, 0]},
            {"dtype": "F32", "shape": [4], "data_offsets": [4, 20]},
            {"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]},
            {"dtype": "F32", "shape": [True, 4], "data_offsets": [0, 16]},
            {"dtype": "F32", "shape": "4", "data_offsets": [0, 16]},
            {"dtype": "F32", "shape": [4], "data_offsets": [0]},
            {"dtype": "F32", "shape": [4]},
            {"dtype": "PICKLE", "shape": [16], "data_offsets": [0, 16]},
            {"shape": [4], "data_offsets": [0, 16]},
        ],
    )
    def test_a_tensor_that_is_not_where_it_says_is_refused(self, facts: object) -> None:
        with pytest.raises(BrokenWeights):
            examine_weights(as_safetensors({"a.lora_A.weight": facts}, bytes(16)))

    def test_two_tensors_in_one_place_are_refused(self) -> None:
        facts = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
        header = {"a.lora_A.weight": facts, "a.lora_B.weight": facts}
        with pytest.raises(BrokenWeights, match="overlap"):
            examine_weights(as_safetensors(header, bytes(32)))

    def test_weights_of_something_else_are_refused(self) -> None:
        header = {"unet.conv.weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}
        with pytest.raises(BrokenWeights, match="LoRA"):
            examine_weights(as_safetensors(header, bytes(16)))


class TestConfig:
    def test_links_to_the_photos_go_and_the_recipe_stays(self) -> None:
        config = {
            "images_data_url": "https://v3.fal.media/files/photos.zip",
            "captions_file_url": None,
            "instance_prompt": "qyzo",
            "learning_rate": 0.0004,
            "rank": 16,
            "is_style": True,
            "nested": {"url": "https://somewhere/else", "more": "data:image/jpeg;base64,AAAA", "fine": 1},
            "images": ["https://a.b/c.jpg"],
            "prose": "x" * 501,
        }
        kept = strip_config(json.dumps(config).encode())
        assert kept == {
            "captions_file_url": None,
            "instance_prompt": "qyzo",
            "learning_rate": 0.0004,
            "rank": 16,
            "is_style": True,
            "nested": {"fine": 1},
        }

    @pytest.mark.parametrize("body", [b"", b"[]", b"not json", b"\x80\x04", b'"text"', b"[" * 100_000])
    def test_what_is_no_object_is_none(self, body: bytes) -> None:
        assert strip_config(body) is None
