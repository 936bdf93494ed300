"""Strategies: pure functions from events to intents. They know no venue, no clock, no file."""
