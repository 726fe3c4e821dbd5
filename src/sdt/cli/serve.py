"""Answer requests over HTTP with the emotion of every utterance of a conversation.

GET /docs says what can be asked. Without --host only this machine is answered. The service keeps nothing of what it
is sent; its log says how much was asked, never what was said, unless --log-words is given. Ctrl-C or SIGTERM lets what
runs finish. See docs/serving.md.

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
from sdt.cli.options import add_code_option, add_window_options, import_code, windows_of
from sdt.errors import InputError, MissingDependencyError, quoted
from sdt.serving.settings import Settings

TOKEN = "SDT_TOKEN"  # noqa: S105 - the name of a variable


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="a model folder, a run, a hub id, or a model in the box; default: meld-text-audio-small",
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at; default: %(default)s")
    parser.add_argument("--port", type=int, default=8000, help="0 for any that is free; default: %(default)s")
    add_window_options(parser)
    add_code_option(parser)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto")
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"its first line is the token that clients must send; default: the variable {TOKEN}, or no token",
    )
    parser.add_argument(
        "--allowed-hosts",
        nargs="+",
        default=[],
        metavar="NAME",
        help="without a token: the names under which clients reach it, beside localhost and addresses",
    )
    parser.add_argument(
        "--allowed-origins",
        nargs="+",
        default=[],
        metavar="ORIGIN",
        help="other sites whose pages may use it (CORS), https://example.org; * for all; default: none",
    )
    parser.add_argument("--log-words", action="store_true", help="let the log hold what was said")
    limits = parser.add_argument_group("limits")
    for option in dataclasses.fields(Settings):
        kind = float if isinstance(option.default, float) else int
        limits.add_argument(
            f"--{option.name.replace('_', '-')}",
            type=kind,
            default=option.default,
            metavar="N",
            help=f"{option.metadata['help']}; default: {option.default:g}"
            if kind is float
            else f"{option.metadata['help']}; default: {option.default}",
        )


def run(options: argparse.Namespace) -> int:
    """Load the model, listen, answer until a signal."""
    settings = Settings(**{option.name: getattr(options, option.name) for option in dataclasses.fields(Settings)})
    windows_of(options)  # a mistake in them is said before the work
    token = _token(options.token_file)
    _check_names(options)
    if not 0 <= options.port < 65536:
        raise InputError(f"--port {options.port}: is not between 0 and 65535")
    try:
        from sdt.serving.server import address, bound, for_browser, is_loopback, leave, serve
    except ImportError as error:
        if isinstance(error, InputError):
            raise
        raise MissingDependencyError(
            f"sdt serve needs {error.name}; install it with: pip install 'sdt-erc[serve]'"
        ) from None
    import_code(options)
    with bound(options.host, options.port) as listening:
        from sdt.models.hub import DEFAULT
        from sdt.serving.admission import Admission
        from sdt.serving.app import Service
        from sdt.serving.predictor import Predictor

        model = options.model or DEFAULT
        predictor = Predictor(model, options.device, window=options.window, overlap=options.overlap)
        admission = Admission(token, [options.host, *options.allowed_hosts], options.allowed_origins)
        service = Service(predictor, settings, admission=admission, log_words=options.log_words)
        service.warm_up()
        if token is None and not is_loopback(options.host):
            print(
                f"warning: whoever reaches {options.host} can use the service; give it a token (--token-file, or the "
                f"variable {TOKEN})",
                file=sys.stderr,
            )
        url = address(listening)
        print(
            f"{model} answers at {url} (documentation: /docs); open {for_browser(url)} in a browser; Ctrl-C stops it",
            flush=True,
        )
        number = serve(service, listening)
        code = FAILED if number is None else signal_code(number)
        if service.running:  # a thread is still computing what nobody waits for
            leave(code)
    return code


def _check_names(options: argparse.Namespace) -> None:
    """Refuse names and origins that no browser sends.

    Raises:
        InputError: There are some.
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
        InputError: The file cannot be read, or there is nothing in it that can be a token.
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
        raise InputError(f"{where}: holds no token; it is one line of printable ASCII characters without blanks")
    return token
