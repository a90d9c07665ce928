"""Answers from the engine, and the files that other programs fetch by signed links. Imports no bot library."""
