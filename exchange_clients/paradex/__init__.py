"""Paradex: JSON over REST and JSON-RPC sockets, short session tokens, Stark signatures, funding that accrues every second."""
