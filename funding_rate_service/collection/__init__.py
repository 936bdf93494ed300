"""Asks the venues, writes what they say, and decides which process does so."""
