"""Programs whose traces are broken: lost context, missing spans, wrong clocks, names and attributes."""

import random, threading, uuid

import requests
from flask import jsonify

from record import *
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import SpanKind


def without_context(method, url):
    """A client of one's own that has a span and sends no traceparent."""
    tracer = PROVIDERS[trace.get_current_span().resource.attributes["service.name"]].get_tracer("homemade")
    host = url.split("/")[2]
    with tracer.start_as_current_span(f"HTTP {method}", kind=SpanKind.CLIENT, attributes={
            "http.method": method, "http.url": url, "net.peer.name": host.split(":")[0], "net.peer.port": int(host.split(":")[1])}) as span:
        visit(url, method)
        span.set_attribute("http.status_code", 200)


def rest(ms):
    return lambda **_: (nap(ms), "ok")[1]


@recording("context-lost-over-http", expected=["broken-propagation"])
def _():
    inventory = web("inventory", {"GET /inventory/<int:item>": rest(30)})
    base = web("catalog", {"GET /catalog": lambda: (without_context("GET", inventory + "/inventory/7"), "ok")[1]})
    for _ in range(4):
        with request():
            visit(base + "/catalog")
            nap(100)


@recording("context-lost-in-a-proxy", expected=["broken-propagation"], new=True)
def _():
    """A proxy between the two drops traceparent."""
    inventory = web("inventory", {"GET /inventory/<int:item>": rest(30)})
    proxy = silent("proxy", {"GET /inventory/<int:item>": lambda item: visit(f"{inventory}/inventory/{item}")})
    base = web("catalog", {"GET /catalog": lambda: requests.get(proxy + "/inventory/7").text})
    for _ in range(4):
        with request():
            visit(base + "/catalog")
            nap(100)


def signup(name, attributes=lambda: {}):
    """threading.Thread does not take the context along."""
    tracer = service(name)

    def welcome(about):
        nap(5)
        with tracer.start_as_current_span("send welcome mail", attributes=about):
            with tracer.start_as_current_span("render mail"):
                nap(25)

    def handler():
        about = attributes()
        with tracer.start_as_current_span("create user", attributes=about):
            nap(10)
        threading.Thread(target=welcome, args=(about,)).start()
        with tracer.start_as_current_span("log in"):
            nap(40)
        return "ok"

    base = web(name, {"POST /signup": handler})
    for _ in range(4):
        with request():
            visit(base + "/signup", "POST")
            nap(150)


@recording("context-lost-in-a-thread", expected=["lost-context"])
def _():
    """Nothing but the time says what belongs together."""
    signup("signup")


@recording("context-lost-in-a-thread-with-an-id", expected=["lost-context"], new=True)
def _():
    """Both sides name the user."""
    signup("accounts", lambda: {"user.id": str(uuid.uuid4())})


class EverySecond(Sampler):
    """Decides anew, whatever the caller decided."""
    turn = 0

    def should_sample(self, parent_context, trace_id, name, kind=None, attributes=None, links=None, trace_state=None):
        if trace.get_current_span(parent_context).get_span_context().is_remote:
            EverySecond.turn += 1
        keep = EverySecond.turn % 2 == 0
        return SamplingResult(Decision.RECORD_AND_SAMPLE if keep else Decision.DROP, attributes)

    def get_description(self):
        return "EverySecond"


@recording("one-service-samples-anew", expected=["partial-trace"], new=True)
def _():
    """Two requests a line: of one of them the middle service has no spans."""
    stock = web("stock", {"GET /stock": rest(15)})
    service("middle", sampler=EverySecond())
    middle = web("middle", {"GET /middle": lambda: requests.get(stock + "/stock").text})
    base = web("front", {"GET /front": lambda: requests.get(middle + "/middle").text})
    for _ in range(4):
        with request():
            visit(base + "/front")
            visit(base + "/front")


def lose(name):
    """The spans of this service never arrived."""
    def change(document):
        document["resourceSpans"] = [one for one in document["resourceSpans"]
                                     if {"key": "service.name", "value": {"stringValue": name}} not in one["resource"]["attributes"]]
    return change


def chain():
    stock = web("stock", {"GET /stock": rest(20)})
    middle = web("middle", {"GET /middle": lambda: requests.get(stock + "/stock").text})
    return web("front", {"GET /front": lambda: requests.get(middle + "/middle").text})


@recording("middle-not-exported", expected=["orphan-spans"], allowed=["partial-trace"])
def _():
    base = chain()
    for _ in range(4):
        with request(lose("middle")):
            visit(base + "/front")


def shift(name, ms):
    """The clock of this service is off."""
    def change(document):
        for spans in spans_of(document, name):
            for span in spans:
                for key in ("startTimeUnixNano", "endTimeUnixNano"):
                    span[key] = str(int(span[key]) + int(ms * 1e6))
                for event in span.get("events", []):
                    event["timeUnixNano"] = str(int(event["timeUnixNano"]) + int(ms * 1e6))
    return change


@recording("clock-behind", expected=["clock-skew"])
def _():
    base = chain()
    for _ in range(4):
        with request(shift("middle", -3000)):
            visit(base + "/front")


@recording("clock-ahead", expected=["clock-skew"], new=True)
def _():
    base = chain()
    for _ in range(4):
        with request(shift("stock", 45)):
            visit(base + "/front")


@recording("exported-twice", expected=["duplicate-spans"])
def _():
    """An export timed out, was repeated, and both had arrived."""
    def again(document):
        for spans in spans_of(document, "middle"):
            spans += [dict(span) for span in spans]

    base = chain()
    for _ in range(4):
        with request(again):
            visit(base + "/front")


@recording("ids-in-names", expected=["unbounded-names"])
def _():
    """Names with the path as it was called, and with a key of a cache; twelve requests."""
    tracer = service("files")
    for number in range(12):
        key = uuid.uuid4()
        with request(), tracer.start_as_current_span(f"GET /files/{number * 7919 + 10007}/download", kind=SpanKind.SERVER, attributes={
                "http.method": "GET", "http.target": f"/files/{number * 7919 + 10007}/download"}):
            with tracer.start_as_current_span(f"cache.get file:{key}"):
                nap(2)
            with tracer.start_as_current_span("send"):
                nap(8)


@recording("chatty-session", expected=["chatty"], allowed=["sequential-calls"])
def _():
    """Twenty-six commands to Redis, one after the other, each of another kind or key."""
    tracer = service("session")
    commands = ("GET user:{0}", "HGETALL profile:{0}", "SMEMBERS roles:{0}", "TTL user:{0}", "EXPIRE user:{0} 60", "INCR visits", "ZADD online 1 {0}",
                "LPUSH log:{0} x", "LTRIM log:{0} 0 9", "SISMEMBER banned {0}", "GET flags", "HGET config theme", "ZCARD online")

    def page():
        for command in commands * 2:
            with tracer.start_as_current_span(command.split()[0], kind=SpanKind.CLIENT, attributes={
                    "db.system": "redis", "db.statement": command.format(random.randrange(9999)), "net.peer.name": "redis-1", "net.peer.port": 6379}):
                nap(4)
        return "ok"

    base = web("session", {"GET /page": page})
    for _ in range(4):
        with request():
            visit(base + "/page")


@recording("a-span-a-row", expected=["span-flood"])
def _():
    tracer = service("csv")
    for _ in range(2):
        with request(), tracer.start_as_current_span("import file"):
            for _ in range(2500):
                with tracer.start_as_current_span("parse row"):
                    pass


@recording("spans-below-the-last-one", expected=["wrong-parent"])
def _():
    """A homemade helper keeps the 'current' span in a global variable and never puts the one before back."""
    tracer = service("homemade")
    current = [None]

    def start(name):
        current[0] = tracer.start_span(name, trace.set_span_in_context(current[0]))
        return current[0]

    def page():
        current[0] = trace.get_current_span()
        for name, ms in (("read settings", 12), ("load article", 40), ("render", 18)):
            span = start(name)
            nap(ms)
            span.end()
        return "ok"

    base = web("homemade", {"GET /article": page})
    for _ in range(4):
        with request():
            visit(base + "/article")


SECRETS = (
    {"http.request.header.authorization": ("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQ",)},
    {"payment.number": "4111 1111 1111 1111"},
    {"card": "5500005555555559", "amount": 12},
    {"http.url": "https://admin:hunter2secret@example.org/export?page=2"},
    {"user.password": "correct horse battery staple"},
    {"db.connection_string": "postgresql://app:s3cr3tPassw0rd@db:5432/app"},
    {"url.full": "https://api.example.org/v1/list?api_key=sk_live_51H8xJ2eZvKYlo2CkQ9xWm7Tn"},
    {"db.statement": "UPDATE users SET password = 'Tr0ub4dor&3' WHERE id = 7"},
)

NO_SECRETS = (
    {"http.request.header.authorization": ("Bearer ****",), "user.password": "[REDACTED]", "card": "************1111"},
    {"order.number": "7300000000004219", "trace.sequence": 1795608514049149764},
    {"order.id": str(uuid.UUID(int=2**120 + 77)), "content.sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
    {"llm.usage.total_tokens": 1234, "token_count": 55, "password.reset": True, "password_policy": "min-12", "author": "basic reader"},
    {"db.statement": "SELECT id, password_hash FROM users WHERE password_hash = ? AND token = $1"},
    {"url.full": "https://shop.example/login?token=REDACTED&next=/password/forgot", "http.route": "/users/:id/password"},
    {"phone": "+49 30 123456789", "iban.last4": "3000", "imei": "490154203237518", "timestamp.us": "1795608514049149"},
    {"session.auth.method": "bearer", "auth.scheme": "Basic", "secret.name": "projects/7/secrets/db-password/versions/3", "bearer.valid": True},
)


def with_attributes(all_of_them):
    tracer = service("attributes")
    for attributes in all_of_them:
        with request(), tracer.start_as_current_span("POST /submit", kind=SpanKind.SERVER):
            with tracer.start_as_current_span("submit", attributes=attributes):
                nap(5)


@recording("secrets", expected=["leaked-secret"])
def _():
    with_attributes(SECRETS)


# Nothing is wrong with these.

@recording("no-secrets")
def _():
    with_attributes(NO_SECRETS)


@recording("clocks-a-millisecond-apart", new=True)
def _():
    base = chain()
    for ms in (-1, 1, -1, 1):
        with request(shift("middle", ms)):
            visit(base + "/front")


@recording("names-of-a-program", new=True)
def _():
    """Many names, all of which the program has written down: twelve tasks and versions of an API."""
    tracer = service("worker")
    for number in range(14):
        with request(), tracer.start_as_current_span(f"GET /v{number % 3 + 1}/report", kind=SpanKind.SERVER):
            for name in f"step{number % 4 + 1} sha256 utf8 oauth2 s3.put ec2.list".split():
                with tracer.start_as_current_span(name):
                    nap(1)


@recording("two-users-at-a-time")
def _():
    """Independent requests of two services at the same moment: each trace is whole."""
    base = chain()
    for _ in range(3):
        with request():
            crowd(2, lambda _: visit(base + "/front"), apart_ms=9)


@recording("a-thread-that-has-its-own-work", new=True)
def _():
    """A timer in the same service has traces of its own; no request asked for them."""
    tracer = service("metrics")
    stop = threading.Event()

    def flush():
        while not stop.is_set():
            with tracer.start_as_current_span("flush metrics"):
                nap(9)
            stop.wait(0.035)

    def page():
        with tracer.start_as_current_span("query"):
            nap(60)
        return "ok"

    base = web("metrics", {"GET /page": page})
    for _ in range(4):
        with request():
            stop.clear()
            timer = threading.Thread(target=flush)
            timer.start()
            nap(20)
            visit(base + "/page")
            stop.set()
            timer.join()


main()
