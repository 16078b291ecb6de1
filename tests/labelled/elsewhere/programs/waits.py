"""Programs that wait for a lock, or for a thread."""

import asyncio, hashlib, threading

from record import *
from opentelemetry.trace import SpanKind


@recording("mutex-crowd", expected=["lock-wait"])
def _():
    """One lock around the writing; the wait is a gap between two spans."""
    tracer, lock = service("journal"), threading.Lock()

    def append():
        with tracer.start_as_current_span("validate"):
            nap(3)
        with lock:
            with tracer.start_as_current_span("write entry"):
                nap(45)
        return "ok"

    base = web("journal", {"POST /entries": append})
    for _ in range(4):
        with request():
            crowd(5, lambda _: visit(base + "/entries", "POST"), apart_ms=7)


@recording("mutex-held-by-a-job", expected=["lock-wait"], new=True)
def _():
    """A job compacts under the same lock that each lookup takes."""
    tracer, lock = service("index"), threading.Lock()

    def lookup():
        with tracer.start_as_current_span("parse query"):
            nap(2)
        with lock:
            with tracer.start_as_current_span("read segment"):
                nap(10)
        return "ok"

    def compact():
        with tracer.start_as_current_span("compact"), lock:
            with tracer.start_as_current_span("rewrite segment"):
                nap(120)

    base = web("index", {"GET /lookup": lookup})
    for _ in range(4):
        with request():
            job = threading.Thread(target=compact)
            job.start()
            nap(15)
            crowd(3, lambda _: visit(base + "/lookup"), apart_ms=4)
            job.join()


async def steps(tracer, number):
    with tracer.start_as_current_span("GET /items", kind=SpanKind.SERVER, attributes={"http.method": "GET", "http.route": "/items"}):
        for name in ("load", "filter", "render"):
            with tracer.start_as_current_span(name):
                await asyncio.sleep(0.03)


async def hash_(tracer, elsewhere):
    with tracer.start_as_current_span("POST /password", kind=SpanKind.SERVER, attributes={"http.method": "POST", "http.route": "/password"}):
        with tracer.start_as_current_span("load user"):
            await asyncio.sleep(0.02)
        with tracer.start_as_current_span("hash password"):
            compute = lambda: hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 250_000)
            await asyncio.to_thread(compute) if elsewhere else compute()


async def crowd_on_a_loop(tracer, elsewhere):
    async def after(ms, coroutine):
        await asyncio.sleep(ms / 1000)
        await coroutine
    await asyncio.gather(*(after(12 * number, steps(tracer, number)) for number in range(6)),
                         after(5, hash_(tracer, elsewhere)))


@recording("computes-on-the-event-loop", expected=["blocked-runtime"])
def _():
    tracer = service("asyncio-app")
    for _ in range(4):
        with request():
            asyncio.run(crowd_on_a_loop(tracer, False))


@recording("computes-in-a-thread")
def _():
    tracer = service("asyncio-app")
    for _ in range(4):
        with request():
            asyncio.run(crowd_on_a_loop(tracer, True))


@recording("blocking-sleep-on-the-event-loop", expected=["blocked-runtime"], new=True)
def _():
    """time.sleep in a coroutine, without a span of its own."""
    tracer = service("bot")

    async def command():
        with tracer.start_as_current_span("POST /command", kind=SpanKind.SERVER):
            with tracer.start_as_current_span("read"):
                await asyncio.sleep(0.01)
            nap(200)

    async def crowd():
        async def after(ms, coroutine):
            await asyncio.sleep(ms / 1000)
            await coroutine
        await asyncio.gather(*(after(9 * number, steps(tracer, number)) for number in range(5)), after(20, command()))

    for _ in range(4):
        with request():
            asyncio.run(crowd())


# Nothing is wrong with these.

@recording("crowd-without-a-lock")
def _():
    """The same steps as with the mutex, and nobody waits; with pauses of their own."""
    tracer = service("notes")

    def append():
        with tracer.start_as_current_span("validate"):
            nap(3)
        nap(30)
        with tracer.start_as_current_span("write entry"):
            nap(45)
        return "ok"

    base = web("notes", {"POST /entries": append})
    for _ in range(4):
        with request():
            crowd(5, lambda _: visit(base + "/entries", "POST"), apart_ms=7)


@recording("computes-alone")
def _():
    """A simulation that takes its time, one at a time."""
    tracer = service("simulator")

    def simulate():
        with tracer.start_as_current_span("simulate orbit"):
            work(800)
        return "ok"

    base = web("simulator", {"POST /simulate": simulate})
    for _ in range(3):
        with request():
            visit(base + "/simulate", "POST")


@recording("cron-with-pauses")
def _():
    tracer = service("cron")
    for _ in range(3):
        with request(), tracer.start_as_current_span("nightly"):
            for name in ("rotate logs", "send mails", "clean up", "report"):
                with tracer.start_as_current_span(name):
                    nap(20)
                nap(250)


@recording("deep-chain")
def _():
    tracer = service("interpreter")

    def level(depth):
        with tracer.start_as_current_span(f"evaluate {('sum', 'product', 'call')[depth % 3]}"):
            work(1)
            if depth:
                level(depth - 1)

    for _ in range(3):
        with request():
            level(60)


@recording("resolvers", new=True)
def _():
    """A GraphQL-like answer of fifteen fields."""
    tracer = service("graphql")

    def query():
        for field in "id name email phone street city country zip age plan since locale avatar role team".split():
            with tracer.start_as_current_span(f"resolve User.{field}", attributes={"graphql.field.name": field}):
                work(0.3)
        return "ok"

    base = web("graphql", {"POST /graphql": query})
    for _ in range(4):
        with request():
            visit(base + "/graphql", "POST")


@recording("cache-pipeline")
def _():
    """A hundred GETs that are all under way at the same time, on one connection."""
    tracer = service("feed")

    async def get(number):
        with tracer.start_as_current_span("GET", kind=SpanKind.CLIENT, attributes={
                "db.system": "redis", "db.statement": "GET ?", "net.peer.name": "redis", "net.peer.port": 6379}):
            await asyncio.sleep(0.004)

    async def feed():
        with tracer.start_as_current_span("GET /feed", kind=SpanKind.SERVER, attributes={"http.method": "GET", "http.route": "/feed"}):
            await asyncio.gather(*(get(number) for number in range(100)))

    for _ in range(3):
        with request():
            asyncio.run(feed())


main()
