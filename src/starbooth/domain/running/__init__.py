"""Running orders on engines: buying their tickets, watching, collecting, ending. Knows no kind; crafts do."""
