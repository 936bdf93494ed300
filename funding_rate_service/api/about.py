"""GET / and /ping."""

from __future__ import annotations

from fastapi import APIRouter

from funding_rate_service.models.health import Ping, ServiceInfo

BASE = "/api/v1"
VERSION = "1.0.0"
NAME = "funding-rate-service"

router = APIRouter(tags=["about"])


@router.get("/")
async def root() -> ServiceInfo:
    """What answers here."""
    return ServiceInfo(service=NAME, version=VERSION, status="running", docs=f"{BASE}/docs")


@router.get("/ping")
async def ping() -> Ping:
    """A sign of life."""
    return Ping(status="pong")
