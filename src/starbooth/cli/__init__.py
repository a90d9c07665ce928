"""The commands. The only place that builds the real objects and gives them to each other."""
