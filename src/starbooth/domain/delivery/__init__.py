"""Delivery: what a guest must be shown about their order, owed until it is shown. Knows no words."""
