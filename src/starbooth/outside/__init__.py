"""What we call and cannot trust: slow, may fail, may lie. Knows no database."""
