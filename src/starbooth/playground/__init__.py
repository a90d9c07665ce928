"""A Telegram in the browser, for trying and testing the bot without an account or a network.

A process of its own: a Bot API server for the bot, a chat page for a person, a control API for tests. Nothing
of Starbooth is imported here and Starbooth imports nothing from here; the two meet over HTTP only.
"""
