"""How a wrong question is answered: 400 with what would be right, 404 with what is known. Never 422, never 500."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import Field

from funding_rate_service.models.base import Reply


class Problem(Reply):
    """Why a request was refused."""

    detail: str = Field(description="One line for people")
    allowed: list[str] = Field(default_factory=list, description="What would have been accepted, where that can be listed")


class RequestProblem(Exception):
    """A request that can't be answered; becomes a Problem with its status."""

    def __init__(self, status: int, detail: str, allowed: Iterable[str] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.problem = Problem(detail=detail, allowed=list(allowed))


def bad_value(parameter: str, value: str, allowed: Iterable[str]) -> RequestProblem:
    """400: a parameter's value is not one of the allowed ones."""
    names = list(allowed)
    return RequestProblem(400, f"{parameter}: {value!r} is not allowed; allowed are {', '.join(names)}", names)


def unknown_dex(name: str, known: Iterable[str]) -> RequestProblem:
    """404: no such venue."""
    names = sorted(known)
    return RequestProblem(404, f"unknown dex {name!r}; known are {', '.join(names) or 'none yet'}", names)


def unknown_symbol(name: str, known: Iterable[str], where: str = "") -> RequestProblem:
    """404: no such symbol; close names first, as many as fit a screen."""
    names = sorted(known)
    close = get_close_matches(name.upper(), names, n=5, cutoff=0.5)
    hint = f"; did you mean {', '.join(close)}?" if close else "" if names else "; no rates are collected yet"
    return RequestProblem(404, f"unknown symbol {name!r}{where}{hint}", close or names[:50])


def install(app: FastAPI) -> None:
    """Answer refused requests and invalid parameters as Problems."""
    app.add_exception_handler(RequestProblem, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestProblem)
    return JSONResponse(error.problem.model_dump(), error.status)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    expected = first.get("ctx", {}).get("expected", "")
    allowed = [word.strip(" '") for word in str(expected).replace(" or ", ", ").split(",")] if expected else []
    return JSONResponse(Problem(detail=f"{place}: {first['msg']}", allowed=allowed).model_dump(), 400)
