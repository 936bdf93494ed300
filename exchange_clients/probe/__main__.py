"""`python -m exchange_clients.probe`."""

from exchange_clients.probe.command import main

if __name__ == "__main__":
    raise SystemExit(main())
