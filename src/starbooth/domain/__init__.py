"""Who decides and who records."""
