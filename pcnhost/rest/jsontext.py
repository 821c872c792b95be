"""JSON text in and out, in the two spellings of the API: compact and indented by four blanks."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn

Json = Any


class MalformedJson(ValueError):
    """The text is not JSON; the message names line and column."""


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedJson(f"malformed JSON: {name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise MalformedJson(f"malformed JSON: {text} is too large a number")
    return number


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
_SPARE_FRAMES = 60
_TOO_DEEP = "malformed JSON: nested too deeply"
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def parse(text: str) -> Json:
    """Value of a JSON text; blanks around it are allowed. Raises MalformedJson."""
    try:
        value = _deeper(_SPARE_FRAMES, lambda: _DECODER.decode(text))
    except json.JSONDecodeError as e:
        what = e.msg[:1].lower() + e.msg[1:]
        raise MalformedJson(f"malformed JSON at line {e.lineno}, column {e.colno}: {what}") from None
    except RecursionError:
        raise MalformedJson(_TOO_DEEP) from None
    except MalformedJson:
        raise
    except ValueError:  # Python refuses to convert thousands of digits
        raise MalformedJson("malformed JSON: a number has too many digits") from None
    if "\\u" in text:
        _refuse_lone_surrogates(value)
    return value


def _deeper(frames: int, action: Callable[[], Json]) -> Json:
    """What can be read that much deeper in the stack can be written wherever the value is shown."""
    return _deeper(frames - 1, action) if frames else action()


def _refuse_lone_surrogates(value: Json) -> None:
    try:
        compact(value).encode()
    except UnicodeEncodeError:
        raise MalformedJson("malformed JSON: half of a \\u surrogate pair") from None
    except RecursionError:  # writing may take a little more of the stack than reading
        raise MalformedJson(_TOO_DEEP) from None


def compact(value: Json) -> str:
    """`{"a":1}`"""
    return _ENCODER.encode(value)


def indented(value: Json) -> str:
    """One member a line, four blanks a level."""
    return json.dumps(value, indent=4, ensure_ascii=False)
