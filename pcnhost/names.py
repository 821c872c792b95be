"""Names of cubes and ports: they stand in URLs, around the colon of `cube:port`, and for files in bpffs."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from pcnhost.errors import HostError

MAX_ENCODED = 200  # bytes; file systems stop at 255
_NAME = re.compile(r"(?!\.\.?$)[^\s/:?#%\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,100}")


def check_name(kind: str, name: str) -> None:
    """Raises HostError when `name` can be no name of a `kind` (cube, port)."""
    encoded = len(quote(name, safe="")) + 2 * name.count(".")  # as in the name of a file of bpffs
    if not _NAME.fullmatch(name) or encoded > MAX_ENCODED:
        shown = name if len(name) <= 100 else f"{name[:100]}…"
        raise HostError(
            f"name: '{shown}' is no name for a {kind}: 1 to 100 characters, {MAX_ENCODED} bytes when encoded for a URL"
            " (a dot counts 3), none of blank / : ? # % and control characters"
        )


def decode_name(segment: str) -> str:
    """The name of a cube as written in a path. Nothing but encoding brings a `%` there."""
    return unquote(segment, errors="replace")
