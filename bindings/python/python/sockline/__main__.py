"""The command ``sockline``: ``python -m sockline --help`` says what it does."""

import sys


def main() -> int:
    """Run the command with the arguments of this process; returns the code to exit with."""
    from . import _native

    command = getattr(_native, "command", None)
    if command is None:
        print("error: this build of sockline has no command (its feature is named so)", file=sys.stderr)
        return 1
    code: int = command(sys.argv[1:])
    return code


if __name__ == "__main__":
    sys.exit(main())
