"""Hides what could be used: keys, signatures, sessions. What is left still decodes, so that a record can be replayed.

Under a telling name every text of `SECRET_CHARS_MIN` characters or more is replaced; shorter ones are words (`"token":"USDC"`).
A JSON web token keeps its claims and loses its signature, without which it opens nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

__all__ = ["HIDDEN", "redact_headers", "redact_text", "redact_url"]

HIDDEN = "(hidden)"
SECRET_CHARS_MIN = 12

_NAMES = (
    r"(?:\w*_?signature|sig|sign|\w*secret\w*|\w*private_?key|pass(?:word|phrase)?|\w*api_?key|authori[sz]ation|auth|bearer|jwt"
    r"|\w*_?token|\w*listen_?key|cookie|mnemonic|seed)"
)
_WORDS = ("sig", "secret", "key", "pass", "auth", "bearer", "jwt", "token", "cookie", "mnemonic", "seed")
_STRING = r'"(?:[^"\\]|\\.)*"'
_MEMBER = re.compile(rf'("{_NAMES}"\s*:\s*)({_STRING}|\{{[^{{}}]*\}}|\[[^\[\]]*\])', re.IGNORECASE)
_LONG_STRING = re.compile(rf'"((?:[^"\\]|\\.){{{SECRET_CHARS_MIN},}})"')
_JWT = re.compile(r"\b(eyJ[\w-]+\.[\w-]+)\.[\w-]+")
_BEARER = re.compile(r"\b(Bearer\s+)(?!eyJ)[\w.~+/=-]+", re.IGNORECASE)
_HEADER = re.compile(r"sign|token|auth|key|cookie|secret|pass", re.IGNORECASE)
_QUERY = re.compile(rf"([?&]{_NAMES}=)[^&#]+", re.IGNORECASE)
_SECRET_SEGMENT = re.compile(r"(?<=/)[A-Za-z0-9_-]{32,}(?=/|$|\?)")


def redact_text(text: str, secrets: Iterable[str] = ()) -> str:
    """JSON or other text without secrets; everything else stays as it is, character by character. `secrets`: known ones."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    lower = text.lower()
    if any(word in lower for word in _WORDS):  # most frames hold none, and looking for members is dear
        text = _MEMBER.sub(lambda member: member[1] + _LONG_STRING.sub(_hidden, member[2]), text)
    if "eyJ" in text:
        text = _JWT.sub(rf"\1.{HIDDEN}", text)
    return _BEARER.sub(rf"\1{HIDDEN}", text) if "bearer" in lower else text


def redact_headers(headers: Mapping[str, str], secrets: Iterable[str] = ()) -> dict[str, str]:
    """Headers whose names tell that they open something lose their values."""
    return {name: HIDDEN if _HEADER.search(name) else redact_text(value, secrets) for name, value in headers.items()}


def redact_url(url: str, secrets: Iterable[str] = ()) -> str:
    """An address without secrets in its query, and, of a socket, without a key in its path."""
    url = redact_text(_QUERY.sub(rf"\1{HIDDEN}", url), secrets)
    return _SECRET_SEGMENT.sub(HIDDEN, url) if url.startswith("ws") else url


def _hidden(found: re.Match[str]) -> str:
    token = _JWT.search(found[1])
    return f'"{token[1]}.{HIDDEN}"' if token else f'"{HIDDEN}"'
