"""Pictures as bytes: taken in, made small, marked. Knows no guest, no order and no network; never waits."""
