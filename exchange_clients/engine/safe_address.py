"""Where we are willing to send anything: encrypted, or to this very machine. Real transports ask before they connect."""

from __future__ import annotations

import ssl
from functools import cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from exchange_clients.engine.transport import TransportFailure

_PLAIN = {"http": "https", "ws": "wss"}


def require_safe(url: str, secure: str) -> None:
    """Raise TransportFailure(sent=False) unless `url` is of scheme `secure` (https or wss), or plain to this machine."""
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme.lower(), parts.hostname or ""
    except ValueError as error:
        raise TransportFailure(f"{url!r} is not an address: {error}", sent=False) from error
    if not host:
        raise TransportFailure(f"{url!r} names no host", sent=False)
    if scheme == secure or (_PLAIN.get(scheme) == secure and is_this_machine(host)):
        return
    why = f"{scheme}:// is unencrypted and for this machine only" if scheme in _PLAIN else f"{scheme}:// is not {secure}://"
    raise TransportFailure(f"{host}: {why}; use {secure}://", sent=False)


def is_this_machine(host: str) -> bool:
    """Whether `host` is a loopback address or `localhost`."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@cache
def tls() -> ssl.SSLContext:
    """What all transports check certificates and host names with: the machine's own authorities.

    Made without `ssl.create_default_context`, which writes session keys to the file that SSLKEYLOGFILE names.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # requires a certificate and the right host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    return context
