"""HTTP answers, and how the tags of services become statuses and bodies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pcnhost.library import ErrorTag, Response
from pcnhost.rest import jsontext

YANG_JSON = "application/yang.data+json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: str | bytes = ""
    content_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        return self.body if isinstance(self.body, str) else self.body.decode()

    @property
    def data(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else self.body.encode()


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a request. `info` names it (a member, a key) for programs, `text` says to people
    what is wrong and what is allowed; `place` is where in the body. Each may be empty."""

    tag: ErrorTag
    info: str = ""
    text: str = ""
    place: str = ""

    def inside(self, step: str) -> Problem:
        """The same problem as seen from further out: `step` is a member's name or an index like `[0]`."""
        joint = "." if self.place and not self.place.startswith("[") else ""
        return replace(self, place=f"{step}{joint}{self.place}")

    @property
    def message(self) -> str:
        return f"{self.place}: {self.text}" if self.place and self.text else self.text


class Refused(Exception):
    """A request that is not carried out, with at least one problem."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = problems


def bad_request(text: str) -> Refused:
    """400 with a text for people."""
    return Refused(Problem(ErrorTag.BAD_REQUEST, text))


_PLAIN = {
    ErrorTag.OK: 200,
    ErrorTag.CREATED: 201,
    ErrorTag.NO_CONTENT: 204,
    ErrorTag.BAD_REQUEST: 400,
    ErrorTag.GENERIC_ERROR: 500,
}

_STRUCTURED = {
    ErrorTag.INVALID_VALUE: (400, "invalid-value"),
    ErrorTag.MISSING_ATTRIBUTE: (400, "missing-attribute"),
    ErrorTag.MISSING_ELEMENT: (400, "missing-element"),
    ErrorTag.BAD_ATTRIBUTE: (400, "bad-attribute"),
    ErrorTag.BAD_ELEMENT: (400, "bad-element"),
    ErrorTag.DATA_EXISTS: (409, "data-exists"),
    ErrorTag.DATA_MISSING: (409, "data-missing"),
    ErrorTag.OPERATION_NOT_SUPPORTED: (405, "operation-not-supported"),
}


def answer_problems(problems: Sequence[Problem]) -> Answer:
    """Plain text when the first problem has a plain tag, else the error object with the last one's status."""
    first = problems[0]
    if first.tag in _PLAIN:
        return Answer(_PLAIN[first.tag], first.info, YANG_JSON)
    status = 500
    errors = []
    for problem in problems:
        status, name = _STRUCTURED.get(problem.tag, (500, "operation-failed"))
        # Clients see the info in the place of the tag, not next to it.
        error = {"error-type": "application", "error-tag": problem.info or name}
        errors.append({**error, "error-message": problem.message} if problem.message else error)
    return Answer(status, jsontext.compact({"ietf-restconf:errors": {"error": errors}}), YANG_JSON)


def answer_response(response: Response) -> Answer:
    """A service's own answer, unchanged."""
    return answer_problems((Problem(response.tag, response.message),))


def yang_json(body: str | bytes, status: int = 200) -> Answer:
    return Answer(status, body, YANG_JSON)
