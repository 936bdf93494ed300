"""The HTTP routes. They read the board; only /health/database asks the database."""
