"""PostgreSQL: where it comes from, its schema, and every statement the service sends to it."""
