"""Clients that we did not write, driven against the sandbox: `make interop`."""
