"""What the readers of this folder have in common: a trace by the API of a back end, as one OTLP/JSON document.

Called as NAME TRACE_ID, with BACKEND_READ=HOST:PORT. A trace that is not there, or not yet, is a document without spans.
What the API does not give is left out.

exit codes: 0 the document is printed, 1 the back end does not answer, or nothing that can be read, 2 wrong use
"""

import http.client
import json
import os
import sys
import urllib.parse

KINDS = {"INTERNAL": 1, "SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}
CODES = {"UNSET": 0, "OK": 1, "ERROR": 2}


class NotThere(Exception):
    """The back end has no such trace."""


class Unreadable(Exception):
    """The back end does not answer, or not what its API is to answer."""


def run(read):
    """Prints what `read` has of a trace: a function from the id, 32 digits, to the list `resourceSpans`."""
    if len(sys.argv) != 2 or not is_trace_id(sys.argv[1]) or ":" not in os.environ.get("BACKEND_READ", ""):
        fail("usage: BACKEND_READ=HOST:PORT scripts/readers/" + name() + " TRACE_ID, which is 32 hex digits", 2)
    try:
        spans = read(sys.argv[1].lower())
    except NotThere:
        spans = []
    except Unreadable as problem:
        fail(str(problem), 1)
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        fail(f"its answer cannot be read: {problem!r}", 1)
    # 64-bit integers are text by now, and there is nothing else in it that JSON has no word for.
    print(json.dumps({"resourceSpans": spans}, ensure_ascii=False))


def get(path, query=None, not_there=(404,)):
    """The JSON that the back end answers to a GET. Integers keep all of their digits."""
    address = os.environ["BACKEND_READ"]
    if query:
        path += "?" + urllib.parse.urlencode(query)
    try:
        connection = http.client.HTTPConnection(address, timeout=30)
        connection.request("GET", path, headers={"accept": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, ValueError, http.client.HTTPException) as problem:
        raise Unreadable(f"{address} does not answer: {problem}") from problem
    if answer.status in not_there:
        raise NotThere
    if answer.status != 200:
        text = " ".join(body.decode(errors="replace").split())
        raise Unreadable(f"{address} answers {answer.status} to {path}: {text[:200]}")
    try:
        return json.loads(body)
    except ValueError as problem:
        raise Unreadable(f"{address} answers no JSON to {path}: {problem}") from problem


def as_otlp(value, id_of, field=None):
    """What is in OTLP's shape, but with names in snake case, integers as numbers and enums by name, as OTLP/JSON.

    `id_of` gives the hex digits of an id. What is null is left out.
    """
    if field in ("trace_id", "span_id", "parent_span_id"):
        return id_of(value)
    if field in ("start_time_unix_nano", "end_time_unix_nano", "time_unix_nano", "int_value"):
        return str(value)
    if field == "kind":
        return number_of(KINDS, value, "SPAN_KIND_")
    if field == "code":
        return number_of(CODES, value, "STATUS_CODE_")
    if isinstance(value, dict):
        return {camel_case(key): as_otlp(inner, id_of, key) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [as_otlp(inner, id_of) for inner in value]
    return value


def camel_case(key):
    first, *rest = key.split("_")
    return first + "".join(word.capitalize() for word in rest)


def only_given(**fields):
    """A dictionary of what is not None."""
    return {key: value for key, value in fields.items() if value is not None}


def number_of(names, value, prefix):
    """An enum as OTLP/JSON has it: SPAN_KIND_SERVER, SERVER or Server as 2. A number stays what it is."""
    if value is None or isinstance(value, int):
        return value
    return names[value.upper().removeprefix(prefix)]


def is_trace_id(text):
    return len(text) == 32 and all(digit in "0123456789abcdefABCDEF" for digit in text)


def fail(text, code):
    print(f"scripts/readers/{name()}: {text}", file=sys.stderr)
    sys.exit(code)


def name():
    return os.path.basename(sys.argv[0])
