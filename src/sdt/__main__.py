"""The command `sdt`: one table from command names to plain functions."""

from __future__ import annotations

import os
import sys

from sdt.errors import InputError, ReportedElsewhereError, os_error_reason, printable

# Two OpenMP threads that spin while they wait are several times slower on shared cores; read once, when torch starts.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code is 0, 2 for bad input, 130 after Ctrl-C, 143 after SIGTERM."""
    # The parser is imported here so that the environment above is set before anything can import torch.
    from sdt.cli import run
    from sdt.cli.exit_codes import exit_code, terminable

    with terminable():
        try:
            return run(sys.argv[1:] if arguments is None else arguments)
        except ReportedElsewhereError:
            return 2
        except InputError as error:
            print("sdt: " + "\n".join(map(printable, str(error).splitlines())), file=sys.stderr)
            return 2
        except KeyboardInterrupt as stopped:  # where a command has nothing better to say of it
            print("sdt: stopped", file=sys.stderr)
            return exit_code(stopped)
        except BrokenPipeError:  # `sdt ... | head`: the reader has gone, which is no error
            sys.stderr.close()
            return 0
        except OSError as error:  # a full disk, a missing permission, a name that is too long
            print(f"sdt: {printable(os_error_reason(error))}", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main())
