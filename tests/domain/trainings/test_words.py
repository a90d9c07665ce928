"""Trigger words are rare, captions name them, and a consent is kept in its words."""

import re

import pytest

from starbooth.base.database import Database
from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.trainings.captions import clean_caption, spell_caption
from starbooth.domain.trainings.consent import give_consent, read_consent, withdraw_consent
from starbooth.domain.trainings.errors import CaptionTooLong, TriggerFlaw, TriggerRefused
from starbooth.domain.trainings.trigger_words import check_trigger_word, common_words, propose_trigger_word
from starbooth.domain.users.guests import Language
from tests.make.guests import make_guest
from tests.make.loras import make_lora


class TestTriggerWords:
    async def test_proposed_ones_are_rare_and_can_be_had(self, database: Database) -> None:
        ada = await make_guest(database)
        async with database.transaction() as tx:
            words = {await propose_trigger_word(tx, user_id=ada) for _ in range(20)}
            for word in words:
                assert await check_trigger_word(tx, f" {word} ", user_id=ada) == word
        assert len(words) > 15

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", TriggerFlaw.LENGTH),
            ("ab", TriggerFlaw.LENGTH),
            ("x" * 21, TriggerFlaw.LENGTH),
            ("my face", TriggerFlaw.SPACE),
            ("my\u00a0face", TriggerFlaw.SPACE),
            ("face😀", TriggerFlaw.LETTERS),
            ("<zuvoqi>", TriggerFlaw.LETTERS),
            ("лицо", TriggerFlaw.LETTERS),
            ("123", TriggerFlaw.LETTERS),
            ("Woman", TriggerFlaw.COMMON),
            ("photo", TriggerFlaw.COMMON),
        ],
    )
    async def test_others_are_refused_with_the_reason(
        self, database: Database, text: str, reason: TriggerFlaw
    ) -> None:
        ada = await make_guest(database)
        async with database.transaction() as tx:
            with pytest.raises(TriggerRefused) as refusal:
                await check_trigger_word(tx, text, user_id=ada)
        assert refusal.value.reason is reason

    async def test_one_guest_has_a_word_once_and_others_may_have_it_too(self, database: Database) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        await make_lora(database, ada, trigger_word="zuvoqi")
        async with database.transaction() as tx:
            assert await check_trigger_word(tx, "Zuvoqi", user_id=bo) == "Zuvoqi"
            with pytest.raises(TriggerRefused) as refusal:
                await check_trigger_word(tx, "Zuvoqi", user_id=ada)
        assert refusal.value.reason is TriggerFlaw.TAKEN

    def test_the_list_of_common_words_is_one_of_words(self) -> None:
        assert len(common_words()) > 500
        assert [each for each in common_words() if not re.fullmatch(r"[a-z][a-z-]{2,}", each)] == []


class TestCaptions:
    @pytest.mark.parametrize(
        ("caption", "lora_type", "spelled"),
        [
            ("", LoraType.PORTRAIT, "a photo of zuvoqi"),
            ("", LoraType.STYLE, "a picture in the style of zuvoqi"),
            ("[trigger] with a hat", LoraType.PORTRAIT, "zuvoqi with a hat"),
            ("a boat", LoraType.STYLE, "zuvoqi, a boat"),
            ("Zuvoqi smiles", LoraType.PORTRAIT, "Zuvoqi smiles"),
            ("zuvoqis", LoraType.PORTRAIT, "zuvoqi, zuvoqis"),
        ],
    )
    def test_every_one_names_the_trigger_word(self, caption: str, lora_type: LoraType, spelled: str) -> None:
        assert spell_caption(caption, lora_type, "zuvoqi") == spelled

    def test_before_there_is_a_word_its_place_is_held(self) -> None:
        assert spell_caption("", None, None) == "a photo of [trigger]"

    def test_it_is_one_line_of_bounded_length(self) -> None:
        assert clean_caption(" a\nboat\x00 at\tsea ") == "a boat at sea"
        with pytest.raises(CaptionTooLong):
            clean_caption("x" * 501)


class TestConsent:
    async def test_it_is_kept_in_its_words_until_it_is_taken_back(self, database: Database) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        async with database.transaction() as tx:
            given = await give_consent(tx, user_id=ada, words="I agree.", language=Language.SPANISH)
            consent = await read_consent(tx, given, user_id=ada)
            assert consent is not None
            assert (consent.words, consent.stands) == ("I agree.", True)
            assert await read_consent(tx, given, user_id=bo) is None
            assert await withdraw_consent(tx, given, user_id=bo) is False
            assert [await withdraw_consent(tx, given, user_id=ada) for _ in range(2)] == [True, False]
            taken_back = await read_consent(tx, given, user_id=ada)
        assert taken_back is not None
        assert (taken_back.words, taken_back.stands) == ("I agree.", False)
