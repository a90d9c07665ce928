"""The small world that the tiny FLUX knows: its words, and the pictures that belong to them.

Nothing here knows torch or diffusers. Drawing needs numpy and Pillow; the words need neither.
"""
