"""Models of guests themselves: their photos, what is asked for them, and the order that trains."""
