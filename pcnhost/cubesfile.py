"""The file of all cubes, polycubed's: a JSON array with one object per cube, `service-name` and `name` first, then
what else a request that creates the cube would contain."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from pcnhost.errors import HostError
from pcnhost.journal import check_private
from pcnhost.rest import jsontext
from pcnhost.rest.jsontext import Json, MalformedJson


class UnusableFile(HostError):
    """The text says what is wrong with the file, without its name."""


def read(path: Path) -> bytes | None:
    """The content; None without a file. Raises UnusableFile."""
    try:
        check_private(path)
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as e:
        raise UnusableFile(e.strerror or str(e)) from None


def parse(content: bytes) -> list[tuple[str, str, dict[str, Any]]]:
    """Name, service and configuration of each cube. Raises UnusableFile."""
    try:
        cubes = jsontext.parse(content.decode().strip() or "[]")
    except (UnicodeDecodeError, MalformedJson) as e:
        raise UnusableFile(str(e)) from None
    if cubes == {}:
        return []
    if not isinstance(cubes, list):
        raise UnusableFile("it is no array of cubes")
    return [_cube(number, cube) for number, cube in enumerate(cubes)]


def _cube(number: int, cube: Json) -> tuple[str, str, dict[str, Any]]:
    if not isinstance(cube, dict):
        raise UnusableFile(f"[{number}] is no cube")
    name, service = cube.get("name"), cube.get("service-name")
    if not isinstance(name, str) or not isinstance(service, str):
        raise UnusableFile(f"[{number}] is no cube, name and service-name are expected")
    return name, service, {member: value for member, value in cube.items() if member != "service-name"}


def text_of(cubes: Json) -> bytes:
    return json.dumps(cubes, indent=2, ensure_ascii=False).encode()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def write(path: Path, content: bytes) -> None:
    """All of the file or nothing: a crash leaves the previous one. One caller at a time. Raises OSError."""
    new = path.with_name(f".{path.name}.new")  # always the same, so that crashes do not leave more and more
    new.unlink(missing_ok=True)
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
