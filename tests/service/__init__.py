"""The funding service, spoken to over real HTTP, on a real PostgreSQL."""
