"""Models of guests: own ones and the catalogue of public ones, what makers earn, reports."""
