"""Answers from the engine. Imports no bot library."""
