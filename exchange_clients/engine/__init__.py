"""The one I/O engine. It speaks every dialect and knows no venue."""
