"""The contenders. Each is a small program that runs in its own environment and speaks JSON lines on standard output."""
