"""People: who they are, in which language we speak to them, and whether they still listen."""
