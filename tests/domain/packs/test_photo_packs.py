"""The packs that are sold: enough of them, all different, in every language, and allowed by our own rules."""

import pytest

from starbooth.base.database import Database
from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.packs.errors import NoSuchPack
from starbooth.domain.packs.photo_packs import SIZES, PhotoPack, find_pack, packs_for, photo_packs
from starbooth.domain.prompts.word_list import find_in
from starbooth.domain.users.guests import Language

PACKS = photo_packs()


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
class TestEachPack:
    def test_it_has_as_many_different_prompts_as_the_largest_size(self, pack: PhotoPack) -> None:
        assert len(pack.prompts) == len(set(pack.prompts)) == max(SIZES)
        assert all(prompt.count("{subject}") == 1 and len(prompt) < 200 for prompt in pack.prompts)

    def test_it_is_named_and_told_of_in_every_language(self, pack: PhotoPack) -> None:
        assert set(pack.title) == set(pack.told) == set(Language)
        assert all(0 < len(title) <= 32 for title in pack.title.values())
        assert all(0 < len(told) <= 120 for told in pack.told.values())
        assert pack.name.isalpha()
        assert len(pack.name) <= 12

    async def test_none_of_it_is_what_our_own_word_list_refuses(
        self, database: Database, pack: PhotoPack
    ) -> None:
        async with database.transaction() as tx:
            assert await find_in(tx, pack.prompts) is None


class TestAll:
    def test_there_are_some_for_each_type_and_no_name_twice(self) -> None:
        assert len(packs_for(LoraType.PORTRAIT)) == 6
        assert len(packs_for(LoraType.STYLE)) == 3
        assert len({pack.name for pack in PACKS}) == len(PACKS)
        prompts = [prompt for pack in PACKS for prompt in pack.prompts]
        assert len(set(prompts)) == len(prompts)

    def test_a_pack_of_another_type_or_of_no_such_size_is_not_sold(self) -> None:
        assert find_pack("places", lora_type=LoraType.STYLE, size=20).name == "places"
        for name, lora_type, size in (
            ("places", LoraType.PORTRAIT, 20),
            ("places", LoraType.STYLE, 9),
            ("nowhere", LoraType.STYLE, 8),
        ):
            with pytest.raises(NoSuchPack):
                find_pack(name, lora_type=lora_type, size=size)

    def test_a_small_pack_is_the_beginning_of_a_large_one_about_its_subject(self) -> None:
        pack = find_pack("profile", lora_type=LoraType.PORTRAIT, size=40)
        small, large = pack.series(8, subject="ohwx"), pack.series(40, subject="ohwx")
        assert large.prompts[:8] == small.prompts
        assert all("ohwx" in prompt and "{" not in prompt for prompt in large.prompts)

    def test_a_model_without_a_word_of_its_own_has_packs_too(self) -> None:
        style = find_pack("places", lora_type=LoraType.STYLE, size=8).series(8, subject=" ")
        assert style.prompts[0] == "a lighthouse on a cliff above the sea at sunset"
        portrait = find_pack("profile", lora_type=LoraType.PORTRAIT, size=8).series(8, subject="")
        assert "of a person, soft window light" in portrait.prompts[0]
