"""What a guest puts together before an order: remembered choices, presets, drafts, awaited answers."""
