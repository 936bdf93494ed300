"""What runs in the peers' own environments: nothing but the standard library and the peer itself is imported here."""
