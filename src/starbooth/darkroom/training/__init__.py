"""Trains the tiny FLUX from nothing: draws the scenes, then teaches judge, autoencoder and transformer.

Every stage may be stopped at any moment and started again. `python -m starbooth.darkroom.training --help`.
"""
