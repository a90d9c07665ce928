"""Stars: the ledger and its movements. Only this package moves them."""
