"""Serve predictions over HTTP.

The service has a web page at /, the documentation of its API at /docs, and metrics at /metrics. Without --host it is
reachable from this machine only. It stores nothing; its log contains the size of requests, and conversations only with
--log-words. After Ctrl-C or SIGTERM it finishes the running requests. See docs/serving.md.

  sdt serve
  sdt serve --model runs/mine --port 9000
  sdt serve --host 0.0.0.0 --token-file /run/secrets/sdt-token
  sdt serve --host 0.0.0.0 --allowed-hosts sdt.example.org
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import sys
from pathlib import Path

from sdt.cli.exit_codes import FAILED, signal_code
from sdt.cli.options import (
    add_code_option,
    add_device_option,
    add_engine_option,
    add_model_option,
    add_window_options,
    import_code,
    windows_of,
)
from sdt.errors import InputError, MissingDependencyError, quoted
from sdt.serving.config import ServingConfig

TOKEN = "SDT_TOKEN"  # noqa: S105 - the name of a variable


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model_option(parser)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on; default: %(default)s")
    parser.add_argument("--port", type=int, default=8000, help="the port; 0 for any free one; default: %(default)s")
    parser.add_argument(
        "--transcriber",
        default="tiny.en",
        metavar="NAME",
        help="the recogniser of recordings without a transcript and of live speech: tiny.en, base, a folder, a hub id, "
        "or none; default: %(default)s (install it with: pip install 'sdt-erc[speech]')",
    )
    add_window_options(parser)
    add_code_option(parser)
    add_device_option(parser)
    add_engine_option(parser)
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"a file whose first line is the token that clients must send; default: ${TOKEN}, or no token",
    )
    parser.add_argument(
        "--allowed-hosts",
        nargs="+",
        default=[],
        metavar="NAME",
        help="without a token: host names of the service besides localhost and addresses",
    )
    parser.add_argument(
        "--allowed-origins",
        nargs="+",
        default=[],
        metavar="ORIGIN",
        help="other sites whose pages may use the service (CORS), such as https://example.org; * for all",
    )
    parser.add_argument("--log-words", action="store_true", help="write conversations to the log")
    limits = parser.add_argument_group("limits")
    for option in dataclasses.fields(ServingConfig):
        kind = float if isinstance(option.default, float) else int
        limits.add_argument(
            f"--{option.name.replace('_', '-')}",
            type=kind,
            default=option.default,
            metavar="N",
            help=f"{option.metadata['help']}; default: {option.default:{'g' if kind is float else ''}}",
        )


def run(options: argparse.Namespace) -> int:
    """Load the model and serve until a signal."""
    limits = {option.name: getattr(options, option.name) for option in dataclasses.fields(ServingConfig)}
    config = ServingConfig(**limits)
    windows_of(options)  # report errors before the work
    token = _token(options.token_file)
    _check_names(options)
    if not 0 <= options.port < 65536:
        raise InputError(f"--port {options.port}: not between 0 and 65535")
    try:
        from sdt.serving.server import bind, browser_url, exit_now, is_loopback, serve, url_of
    except ImportError as error:
        if isinstance(error, InputError):
            raise
        raise MissingDependencyError(
            f"sdt serve needs {error.name}; install it with: pip install 'sdt-erc[serve]'"
        ) from None
    import_code(options)
    with bind(options.host, options.port) as listening:
        from sdt.models.hub import DEFAULT
        from sdt.serving.access import AccessControl
        from sdt.serving.predictor import Predictor
        from sdt.serving.service import Service

        model = options.model or DEFAULT
        predictor = Predictor(
            model, options.device, engine=options.engine, window=options.window, overlap=options.overlap
        )
        access = AccessControl(token, [options.host, *options.allowed_hosts], options.allowed_origins)
        transcriber = None if options.transcriber == "none" else options.transcriber
        service = Service(predictor, config, access=access, log_words=options.log_words, transcriber=transcriber)
        service.warm_up()
        if token is None and not is_loopback(options.host):
            print(
                f"warning: everyone who can reach {options.host} can use the service; set a token with --token-file or "
                f"${TOKEN}",
                file=sys.stderr,
            )
        url = url_of(listening)
        print(
            f"{model} answers at {url} (documentation: /docs); open {browser_url(url)} in a browser; Ctrl-C stops it",
            flush=True,
        )
        number = serve(service, listening)
        code = FAILED if number is None else signal_code(number)
        if service.running:  # a thread is still computing for a client that has disconnected
            exit_now(code)
    return code


def _check_names(options: argparse.Namespace) -> None:
    """Refuse host names and origins that no browser sends.

    Raises:
        InputError: One of them is not valid.
    """
    for name in options.allowed_hosts:
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
            raise InputError(
                f"--allowed-hosts {quoted(name)}: give a name without scheme and port, such as example.org"
            )
    for origin in options.allowed_origins:
        if origin != "*" and not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/?#\s]+", origin, re.IGNORECASE):
            raise InputError(f"--allowed-origins {quoted(origin)}: give scheme and host, such as https://example.org")


def _token(path: Path | None) -> str | None:
    """The token, from a file or the environment.

    Raises:
        InputError: The file cannot be read, or its first line is not a valid token.
    """
    if path is None:
        token, where = os.environ.get(TOKEN), TOKEN
        if token is None:
            return None
    else:
        where = str(path)
        try:
            token = path.read_text(encoding="utf-8").split("\n", 1)[0].strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"--token-file {path}: cannot be read ({type(error).__name__})") from None
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise InputError(f"{where}: not a valid token: use one line of printable ASCII characters without spaces")
    return token
