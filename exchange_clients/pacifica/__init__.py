"""Pacifica: public reads by account address, acting calls signed with Ed25519 over sorted JSON, funding every hour."""
