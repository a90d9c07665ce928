"""Payments: invoices, Telegram's payments for them, refunds, and what Telegram's own list says about it."""
