"""The catalogue: which models there are, what they mean at the engine, and what they cost."""
