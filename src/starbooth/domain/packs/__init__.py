"""Photo packs: curated pictures of a model at one press and one price."""
