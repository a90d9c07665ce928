"""Generations: pictures from words. Placing them, running them on an engine, keeping what comes."""
