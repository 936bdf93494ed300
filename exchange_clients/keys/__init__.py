"""Signature schemes that several venues share, on native code. Each module needs the libraries of its pip extra."""
