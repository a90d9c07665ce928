"""The darkroom: an image engine of its own process. It knows models and pictures; no user, star or order."""
