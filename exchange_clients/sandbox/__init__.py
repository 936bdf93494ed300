"""A seeded world below the wire: a venue-neutral exchange, prices from a model or a tape, and façades in the venues' dialects.

Everything here is simulated and says so.
"""
