"""One file per claim. Every number is a ratio inside one run: ours, the peer and the limit on the same bytes, machine and minute."""
