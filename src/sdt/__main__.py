"""The entry point of the command `sdt`; see `sdt.cli` for its commands."""

from __future__ import annotations

import os
import sys

from sdt.errors import InputError, ReportedElsewhereError, os_error_reason, printable

# Spinning OpenMP threads are several times slower on shared cores. PyTorch reads these variables when it is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")


EXTRAS = {
    **dict.fromkeys(("av", "cv2", "scipy"), "media"),
    **dict.fromkeys(
        ("torch", "transformers", "sklearn", "matplotlib", "jinja2", "pydantic", "filelock", "safetensors"),
        "train",
    ),
}
"""Optional packages to the extra that installs them; commands name those of other extras themselves."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The command and its options; None for those of the process.

    Returns:
        The exit code: 0, 2 for invalid input, 130 after Ctrl-C, 143 after SIGTERM, 1 if some of the work failed.
    """
    # Imported here, after the environment variables are set and before PyTorch.
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
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in EXTRAS:
                raise
            print(
                f"sdt: this command needs {package}, which is not installed; install it with: pip install "
                f"'sdt-erc[{EXTRAS[package]}]'",
                file=sys.stderr,
            )
            return 2
        except KeyboardInterrupt as stopped:  # where the command has no better message
            print("sdt: stopped", file=sys.stderr)
            return exit_code(stopped)
        except BrokenPipeError:  # `sdt ... | head`: the reader has closed the pipe
            sys.stderr.close()
            return 0
        except OSError as error:  # a full disk, a missing permission, a name that is too long
            print(f"sdt: {printable(os_error_reason(error))}", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main())
