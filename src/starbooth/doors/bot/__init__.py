"""The bot: Telegram's updates come in by the inbox, are worded here, and ask the domain one thing each."""
