"""What everything stands on: settings, database, jobs, errors, clock, log. Knows no star or order."""
