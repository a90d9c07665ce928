"""aiogram imported lean: small, quick, and every type and method still works."""

import subprocess
import sys


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


class TestLean:
    def test_a_process_with_a_bot_stays_small(self) -> None:
        program = """
import starbooth.outside.telegram.client
status = open("/proc/self/status").read()
print(status.split("VmRSS:")[1].split()[0])
"""
        assert int(run(program)) < 100 * 1024  # KiB; 60 to 70 MiB lean, 165 MiB otherwise

    def test_every_type_and_method_can_be_built(self) -> None:
        program = """
from starbooth.outside.telegram import lean
import aiogram.methods, aiogram.types
from aiogram.methods import Response, TelegramMethod
from pydantic import BaseModel
count = 0
for module in (aiogram.types, aiogram.methods):
    for name in module.__all__:
        model = getattr(module, name)
        if isinstance(model, type) and issubclass(model, BaseModel) and model is not TelegramMethod:
            model.model_rebuild()
            assert model.__pydantic_complete__, name
            count += 1
        if module is aiogram.methods and name not in ("TelegramMethod", "Request", "Response"):
            answer = Response[model.__returning__]
            answer.model_validate({"ok": False, "description": "x"})
print(count)
"""
        assert int(run(program)) > 500

    def test_an_update_is_read_and_a_method_is_made(self) -> None:
        program = """
from starbooth.outside.telegram import lean
from aiogram.methods import Response, SendMessage
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup, Message, Update
chat = {"id": 7, "type": "private", "first_name": "Ada"}
message = {"message_id": 1, "date": 1, "chat": chat, "text": "/start",
           "entities": [{"type": "bot_command", "offset": 0, "length": 6}]}
update = Update.model_validate({"update_id": 5, "message": message})
assert update.message.entities[0].extract_from(update.message.text) == "/start"
answer = Response[SendMessage.__returning__].model_validate({"ok": True, "result": message})
assert isinstance(answer.result, Message) and answer.result.chat.first_name == "Ada"
button = InlineKeyboardButton(text="a", callback_data="b")
method = SendMessage(chat_id=7, text="x", reply_markup=InlineKeyboardMarkup(inline_keyboard=[[button]]))
print(method.model_dump_json(exclude_none=True, exclude={"parse_mode", "link_preview_options",
      "protect_content", "disable_web_page_preview"}))
"""
        assert '"callback_data":"b"' in run(program)

    def test_after_aiogram_it_changes_nothing(self) -> None:
        program = """
import aiogram
from starbooth.outside.telegram import lean
from aiogram.types import Update
print(Update.__pydantic_complete__)
"""
        assert run(program).strip() == "True"

    def test_pydantic_itself_is_left_as_it_was(self) -> None:
        program = """
from pydantic import BaseModel
before = BaseModel.__dict__["model_rebuild"]
from starbooth.outside.telegram import lean
print(BaseModel.__dict__["model_rebuild"] is before)
"""
        assert run(program).strip() == "True"
