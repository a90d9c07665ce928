"""Orders: what a guest asked for and pays for, from `held` to its one end. Knows no picture and no engine."""
