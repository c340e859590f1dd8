"""The server: the page, its files, and the interface under /api that it asks models by."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from seqvae.app.guard import LOOPBACK, Guard, TooLarge, sentence, too_large
from seqvae.app.items import Form
from seqvae.app.openapi import described
from seqvae.app.played import OPERATIONS, FileForm, Operation, Played
from seqvae.app.worker import Busy, Superseded, Worker
from seqvae.config import nearest

STREAM = "x-stream"  # the header that names what is dragged
MOST_CHARACTERS = 100  # of names that are sent
MEDIA = {"mid": "audio/midi", "wav": "audio/wav"}
UNPROCESSABLE, SUPERSEDED, TOO_MANY = 422, 409, 429

Handler = Callable[[Request], Awaitable[Response]]


class Interface:
    """What is asked under /api of models by name; all of it is computed by one worker."""

    def __init__(self, models: Mapping[str, Played]) -> None:
        self.models = models
        self.worker = Worker()

    async def all_models(self, request: Request) -> Response:
        """What the page needs to show the models."""
        return JSONResponse({"models": [played.facts() for played in self.models.values()]})

    async def description(self, request: Request) -> Response:
        """The interface in OpenAPI's words."""
        return JSONResponse(described())

    def operation(self, form: type[Form], run: Operation) -> Handler:
        """What answers to an operation."""

        async def handler(request: Request) -> Response:
            played = self._asked(request)
            body = form.model_validate_json(await request.body())
            return _json(await self._result(request, lambda: run(played, body)))

        return handler

    async def file(self, request: Request) -> Response:
        """A file of items."""
        played = self._asked(request)
        body = FileForm.model_validate_json(await request.body())
        content = await self._result(request, lambda: played.file(body))
        return Response(content, media_type=MEDIA[body.format])

    async def read(self, request: Request) -> Response:
        """The windows of a file that is sent."""
        played, content = self._asked(request), await request.body()
        return _json(await self._result(request, lambda: played.read(content)))

    def _asked(self, request: Request) -> Played:
        """The model that is asked. Raises HTTPException for an unknown one, with the nearest."""
        name = request.path_params["name"][:MOST_CHARACTERS]
        if name not in self.models:
            there = f"there are {', '.join(self.models)}.{nearest(name, self.models)}"
            raise HTTPException(404, f"there is no model '{name}'; {there}")
        return self.models[name]

    async def _result(self, request: Request, work: Callable[[], Any]) -> Any:
        return await self.worker.result(work, request.headers.get(STREAM, "")[:MOST_CHARACTERS])


def _json(made: Form) -> Response:
    return Response(made.model_dump_json(), media_type="application/json")


def application(models: Mapping[str, Played], hosts: tuple[str, ...] = LOOPBACK, token: str = "") -> Starlette:
    """The page and its interface, for models by name; `hosts` and `token`: see `Guard`."""
    asked = Interface(models)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        asked.worker.close()

    of_models = {name: asked.operation(form, run) for name, (form, run, _) in OPERATIONS.items()}
    of_models |= {"file": asked.file, "read": asked.read}
    routes = [
        Route("/api/openapi.json", asked.description),
        Route("/api/models", asked.all_models),
        *(Route(f"/api/models/{{name}}/{name}", handler, methods=["POST"]) for name, handler in of_models.items()),
        Mount("/", StaticFiles(directory=page_folder(), html=True)),
    ]
    guard = Middleware(Guard, hosts=hosts, token=token)
    return Starlette(routes=routes, middleware=[guard], exception_handlers=_handlers(), lifespan=lifespan)


def page_folder() -> Path:
    """Where the files of the page lie."""
    return Path(str(resources.files("seqvae") / "app" / "page"))


def _handlers() -> dict[Any, Any]:
    async def not_possible(request: Request, error: Exception) -> Response:
        return sentence(str(error), UNPROCESSABLE)

    async def malformed(request: Request, error: Exception) -> Response:
        assert isinstance(error, ValidationError)
        return sentence(words_of(error), UNPROCESSABLE)

    async def by_status(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return sentence(error.detail, error.status_code)

    async def superseded(request: Request, error: Exception) -> Response:
        return sentence("a newer request took the place of this one", SUPERSEDED)

    async def busy(request: Request, error: Exception) -> Response:
        return sentence("too many requests wait; try again in a moment", TOO_MANY)

    async def large(request: Request, error: Exception) -> Response:
        return too_large()

    async def gone(request: Request, error: Exception) -> Response:
        return Response(status_code=400)

    return {
        ValidationError: malformed, ValueError: not_possible, HTTPException: by_status, Superseded: superseded,
        Busy: busy, TooLarge: large, ClientDisconnect: gone,
    }  # fmt: skip


def words_of(error: ValidationError) -> str:
    """The first thing that is wrong with a form, as a sentence."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    value = first.get("input")
    shown = f" is {value!r:.40}" if isinstance(value, str | int | float | bool | None) else ""
    more = f" (and {error.error_count() - 1:,} more)" if error.error_count() > 1 else ""
    return f"{place or 'the request'}{shown}: {first['msg'].lower()}{more}"
