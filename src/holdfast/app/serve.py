"""``holdfast serve``: the control API in a process of its own, between people and a bot's socket."""

from __future__ import annotations

import contextlib
import socket
import sys
from pathlib import Path

from msgspec import structs

from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.options import ServeOptions
from holdfast.config.check import LOOPBACK
from holdfast.config.load import beside, load
from holdfast.config.operators import load_operators
from holdfast.config.schema import Config, ServeSection
from holdfast.ops.target import Target, Wanted, targets


def main(options: ServeOptions) -> int:
    """Serve until told to stop.

    Errors: ConfigError for the configuration and the operators file (no operator: no API); HoldfastError when
    the address is taken, is beyond this machine without TLS, or the extra that serves is not installed.
    """
    config = load(Path(options.config))
    people = load_operators(beside(config, config.paths.operators_file))
    serve = _section(config, options)
    listener = _listen(serve)
    port = listener.getsockname()[1]
    state_dir = beside(config, config.paths.state_dir)
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    from holdfast.runtime.telemetry import setup_log

    log = setup_log(
        process="serve", account=config.account.name, path=state_dir / "serve.jsonl", level=config.log.level
    )

    def audit(what: str, **facts: str | int) -> None:
        log.info(what, **facts)

    def target() -> Target:
        return targets(Wanted(config=options.config), halting=False)[0]

    try:
        import uvicorn

        from holdfast.ops.api import make_app
    except ModuleNotFoundError as error:
        raise HoldfastError(Exit.USAGE, f"serving needs the extra serve: {error.name} is missing") from None
    tls = bool(serve.tls_cert)
    app = make_app(target=target, people=people, hosts=hosts_of(serve, port), tls=tls, audit=audit)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            ws="none",
            timeout_keep_alive=5,
            timeout_graceful_shutdown=2,
            h11_max_incomplete_event_size=16_384,
            ssl_certfile=str(beside(config, serve.tls_cert)) if tls else None,
            ssl_keyfile=str(beside(config, serve.tls_key)) if tls else None,
        )
    )
    print(
        f"holdfast: control API on {'https' if tls else 'http'}://{_shown(serve.host)}:{port}",
        file=sys.stderr,
    )
    log.info("serving", host=serve.host, port=port, operators=len(people))
    with contextlib.suppress(
        KeyboardInterrupt
    ):  # it has served what was under way; Ctrl-C is how it is ended
        server.run(sockets=[listener])
    return Exit.OK


def hosts_of(serve: ServeSection, port: int) -> frozenset[str]:
    """The exact Host values that are answered. A wildcard is no name: whoever binds one lists its hosts."""
    names = {*LOOPBACK, serve.host, *serve.hosts} - {"0.0.0.0", "::"}  # noqa: S104 - taken out, not bound
    with_port = {f"{_shown(name)}:{port}" for name in names}
    standard = 443 if serve.tls_cert else 80
    return frozenset(with_port | ({_shown(name) for name in names} if port == standard else set()))


def _section(config: Config, options: ServeOptions) -> ServeSection:
    """The configuration's section with the command line's changes, under the same rule for other machines."""
    serve = config.serve
    if options.host is not None:
        serve = structs.replace(serve, host=options.host)
    if options.port is not None:
        serve = structs.replace(serve, port=options.port)
    if serve.host not in LOOPBACK and not (serve.public and serve.tls_cert and serve.tls_key):
        raise HoldfastError(
            Exit.USAGE,
            f"{serve.host} is not this machine: that needs public, tls_cert and tls_key",
            "[serve]",
        )
    return serve


def _listen(serve: ServeSection) -> socket.socket:
    family = socket.AF_INET6 if ":" in serve.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((serve.host, serve.port))
    except OSError as error:
        listener.close()
        raise HoldfastError(
            Exit.USAGE,
            f"cannot listen: {(error.strerror or str(error)).lower()}",
            f"{serve.host}:{serve.port}",
        ) from None
    # Whoever reads our line may call at once.
    listener.listen(128)
    listener.setblocking(False)
    return listener


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
