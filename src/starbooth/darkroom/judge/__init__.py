"""Judges whether painted pictures show what their prompts asked for: `python -m starbooth.darkroom.judge
--help`.
"""
