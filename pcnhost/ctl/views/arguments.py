"""Options of the views, with the exit status and the help of pcnctl."""

from __future__ import annotations

import argparse
from typing import NoReturn

from pcnhost.ctl.words import UsageError


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """Of `pcnctl NAME`. It raises UsageError, and SystemExit after --help."""
    return _Parser(
        prog=f"pcnctl {name}",
        description=description,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=26, width=80),
    )
