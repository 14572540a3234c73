"""Keys, and what is signed with them but kept outside the database."""
