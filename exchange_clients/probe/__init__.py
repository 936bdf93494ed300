"""A look at real venues from the user's machine: do they still say what the clients know? `python -m exchange_clients.probe`."""
