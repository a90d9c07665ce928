"""Starbooth: the AI photo booth that anyone can run inside Telegram."""
