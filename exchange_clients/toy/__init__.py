"""Toy: REST and one JSON WebSocket, requests signed with HMAC-SHA256, funding paid every hour."""
