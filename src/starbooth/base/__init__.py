"""What everything stands on: settings, database, jobs, errors, clock, log. Knows no star, order or picture."""
