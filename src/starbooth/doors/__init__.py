"""Where things enter: parse, ask the domain one thing, answer. Doors never import each other."""
