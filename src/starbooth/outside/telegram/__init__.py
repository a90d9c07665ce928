"""Telegram's Bot API by aiogram. Costly to import: only processes that talk to Telegram do."""
