"""The HTTP server: MCP at /mcp, and whether the process lives and is ready."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tmws.app import App
from tmws.domain.errors import Conflict, InvalidInput
from tmws.faces.http.connections import BoundedConnection, bounded
from tmws.faces.mcp.endpoint import McpEndpoint

_log = structlog.get_logger()

DRAIN_SECONDS = 3
"""How long running requests may take to end once the server was told to stop."""

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_STOPPING = (signal.SIGTERM, signal.SIGINT)


async def serve_http(
    app: App,
    host: str,
    port: int,
    *,
    allowed_hosts: Sequence[str] = (),
    allowed_origins: Sequence[str] = (),
) -> None:
    """Serve until SIGTERM or SIGINT.

    Every MCP request needs a bearer token, whatever the address.

    Args:
        port: 0 takes a free one; the log names it.
        allowed_hosts: values of the Host header that are answered, `name:port` or
            `name:*`; on loopback the loopback names are allowed without saying.
        allowed_origins: the same for Origin, which only browsers send.

    Raises:
        InvalidInput: the address is not loopback and no host is allowed explicitly.
        Conflict: the address cannot be bound.
    """
    hosts, origins = _allowed(host, allowed_hosts, allowed_origins)
    endpoint = McpEndpoint(app, allowed_hosts=hosts, allowed_origins=origins)
    with _bound(host, port) as listener:
        config = uvicorn.Config(
            _routes(app, endpoint),
            # Whatever else is installed beside: others differ in what they refuse.
            http=BoundedConnection,
            loop="asyncio",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        await _Server(config, endpoint, _url(listener)).serve(sockets=[listener])


def _allowed(
    host: str, hosts: Sequence[str], origins: Sequence[str]
) -> tuple[list[str], list[str]]:
    if not _is_loopback(host):
        if not hosts:
            raise InvalidInput(
                f"Binding to {host} is refused without allowed hosts: name the host names that "
                "clients use, e.g. --allowed-host tmws.example.org:443, or bind to 127.0.0.1."
            )
        return list(hosts), list(origins)
    names = [form for name in _LOOPBACK for form in (name, f"{name}:*")]
    return [*names, *hosts], [*(f"http://{name}" for name in names), *origins]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name may point anywhere


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as unknown:
        raise InvalidInput(f"Address {host!r} cannot be used: {unknown.strerror}.") from unknown
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as taken:
            raise Conflict(
                f"Port {port} on {host} cannot be bound: {taken.strerror}. Choose another port."
            ) from taken
        yield listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/mcp" if ":" in host else f"http://{host}:{port}/mcp"


def _routes(app: App, endpoint: McpEndpoint) -> Starlette:
    async def live(_: Request) -> Response:
        return PlainTextResponse("live\n")

    async def ready(_: Request) -> Response:
        try:
            await app.tools.disabled()
        except Exception:
            _log.exception("not_ready")
            return PlainTextResponse("the store does not answer\n", status_code=503)
        return PlainTextResponse("ready\n")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with endpoint.running():
            yield

    routes = [
        Route("/mcp", endpoint=endpoint),
        Route("/livez", live),
        Route("/readyz", ready),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


_TICKS_BETWEEN_LOOKS = 10  # uvicorn ticks ten times a second


class _Server(uvicorn.Server):
    """uvicorn, except that it lets go of slow clients, and of the signals after `serve`.

    Raised again, SIGTERM would end the process before the application is closed.
    """

    def __init__(self, config: uvicorn.Config, endpoint: McpEndpoint, url: str) -> None:
        super().__init__(config)
        self._endpoint = endpoint
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _log.warning("serving_http", url=self._url)  # from here on it answers

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_BETWEEN_LOOKS == 0:
            for connection in bounded(self.server_state.connections):
                connection.require_life()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._endpoint.hang_up()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in _STOPPING:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in _STOPPING:
                loop.remove_signal_handler(number)
