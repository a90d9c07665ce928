"""Image engines that speak fal's queue protocol: fal.ai, the darkroom, or another server."""
