"""Programs that call others over HTTP and gRPC."""

import threading
from concurrent.futures import ThreadPoolExecutor

import requests
from flask import jsonify, request as asked

from record import *
from opentelemetry.trace import SpanKind, Status, StatusCode


def answers(ms, value="ok"):
    def answer(**_):
        nap(ms)
        return jsonify(value)
    return answer


def several(base, count, path, method="GET", headers={}):
    for _ in range(count):
        with request():
            visit(base + path, method, headers)


@recording("price-per-item", expected=["n-plus-one"])
def _():
    prices = web("prices", {"GET /price/<int:item>": answers(60, 5)})
    cart = lambda: jsonify([requests.get(f"{prices}/price/{item}").json() for item in range(100, 107)])
    several(web("cart", {"GET /cart": cart}), 4, "/cart")


@recording("price-per-item-new-names", expected=["n-plus-one"], new=True)
def _():
    """The same; each call is in a function with a span, and a query parameter tells the item."""
    prices = web("prices-2", {"GET /price": answers(60, 5)})
    tracer = service("cart-2")

    def price(item):
        with tracer.start_as_current_span("Cart.priceOf"):
            return requests.get(f"{prices}/price", params={"item": item}).json()

    several(web("cart-2", {"GET /cart": lambda: jsonify([price(item) for item in range(100, 107)])}), 4, "/cart")


@recording("two-gets-in-sequence", expected=["sequential-calls"], new=True)
def _():
    weather, news = web("weather", {"GET /weather": answers(90)}), web("news", {"GET /news": answers(110)})
    home = lambda: jsonify([requests.get(weather + "/weather").json(), requests.get(news + "/news").json()])
    several(web("home", {"GET /": home}), 4, "/")


@recording("two-gets-in-parallel", new=True)
def _():
    weather, news = web("weather", {"GET /weather": answers(90)}), web("news", {"GET /news": answers(110)})

    def home():
        here = context.get_current()

        def get(url):
            context.attach(here)
            return requests.get(url).json()

        with ThreadPoolExecutor(2) as pool:
            return jsonify(list(pool.map(get, (weather + "/weather", news + "/news"))))

    several(web("home", {"GET /": home}), 4, "/")


@recording("payment-without-spans", expected=["slow-external"])
def _():
    bank = silent("api.bank.example", {"POST /v1/charges": answers(700)})
    several(web("payments", {"POST /pay": lambda: requests.post(bank + "/v1/charges").text}), 4, "/pay", "POST")


@recording("payment-without-spans-new-names", expected=["slow-external"], new=True)
def _():
    bank = silent("api.bank.example", {"POST /v1/charges": answers(700)})
    fraud = web("fraud", {"GET /score": answers(20)})

    def pay():
        requests.get(fraud + "/score")
        return requests.post(bank + "/v1/charges").text

    several(web("payments", {"POST /pay": pay}), 4, "/pay", "POST")


def flaky(failures, status=503):
    left = {}

    def answer():
        key = asked.headers.get("X-Order", "")
        left[key] = left.get(key, failures) - 1
        nap(8)
        return ("busy", status) if left[key] >= 0 else ("ok", 200)
    return answer


@recording("retry-without-pause", expected=["retry-storm"], allowed=["error"])
def _():
    """Five attempts in a row, all in vain."""
    stock = web("stock", {"GET /stock": flaky(99)})

    def order():
        for _ in range(5):
            answer = requests.get(stock + "/stock")
            if answer.ok:
                return "ok"
        return "no stock", 502

    several(web("orders", {"POST /orders": order}), 4, "/orders", "POST")


@recording("retry-same-pause-new-names", expected=["retry-storm"], new=True)
def _():
    """Every 5 ms again, until the sixth attempt goes well; as http.request.resend_count says."""
    stock = silent("stock.example", {"GET /stock": flaky(5)})
    tracer = service("orders")

    def order():
        for attempt in range(6):
            with tracer.start_as_current_span("GET", kind=SpanKind.CLIENT) as span:
                span.set_attributes({"http.request.method": "GET", "url.full": stock + "/stock", "server.address": "stock.example"})
                if attempt:
                    span.set_attribute("http.request.resend_count", attempt)
                with_headers = {"X-Order": asked.headers["X-Order"]}
                try:
                    visit_strictly(stock + "/stock", with_headers)
                    span.set_attribute("http.response.status_code", 200)
                    return "ok"
                except OSError:
                    span.set_attributes({"http.response.status_code": 503, "error.type": "503"})
                    span.set_status(Status(StatusCode.ERROR))
            nap(5)
        return "no", 502

    base = web("orders", {"POST /orders": order})
    for number in range(4):
        with request():
            visit(base + "/orders", "POST", {"X-Order": str(number)})


def visit_strictly(url, headers):
    import urllib.request
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers)).read()


@recording("retry-with-backoff")
def _():
    stock = web("stock", {"GET /stock": flaky(2)})

    def order():
        for attempt in range(5):
            answer = requests.get(stock + "/stock", headers={"X-Order": asked.headers["X-Order"]})
            if answer.ok:
                return "ok"
            nap(40 * 2 ** attempt)
        return "no stock", 502

    base = web("orders", {"POST /orders": order})
    for number in range(4):
        with request():
            visit(base + "/orders", "POST", {"X-Order": str(number)})


@recording("timeout-and-work-goes-on", expected=["abandoned-work"], allowed=["deadline-exceeded", "error"])
def _():
    tracer = service("search")

    def search():
        for _ in range(4):
            with tracer.start_as_current_span("scan shard"):
                nap(90)
        return "found"

    index = web("search", {"GET /search": search})

    def page():
        try:
            return requests.get(index + "/search", timeout=0.1).text
        except requests.Timeout:
            return "too late", 504

    several(web("frontend", {"GET /find": page}), 4, "/find")


@recording("timeout-of-somebody-else", expected=["deadline-exceeded"], allowed=["error"], new=True)
def _():
    """A third party without spans does not answer in time; there is no retry."""
    slow = silent("rates.example", {"GET /rates": answers(600)})

    def page():
        try:
            return requests.get(slow + "/rates", timeout=0.15).text
        except requests.Timeout:
            return "no rates", 504

    several(web("exchange", {"GET /convert": page}), 4, "/convert")


@recording("deep-error", expected=["error"])
def _():
    tracer = service("tax")

    def tax():
        with tracer.start_as_current_span("parse rate"):
            with tracer.start_as_current_span("Decimal.parse", attributes={"rate.text": "19 %", "country": "DE"}):
                raise ValueError("invalid literal for Decimal: '19 %'")

    taxes = web("tax", {"GET /tax": tax})

    def total():
        requests.get(taxes + "/tax").raise_for_status()
        return "ok"

    totals = web("totals", {"GET /total": total})

    def checkout():
        answer = requests.get(totals + "/total")
        return ("ok", 200) if answer.ok else ("sorry", 500)

    several(web("checkout", {"POST /checkout": checkout}), 4, "/checkout", "POST")


@recording("deep-error-new-names", expected=["error"], new=True)
def _():
    """A database is gone: the connection is refused."""
    tracer = service("ledger")

    def book():
        with tracer.start_as_current_span("INSERT entries", kind=SpanKind.CLIENT, attributes={
                "db.system.name": "postgresql", "db.operation.name": "INSERT", "db.collection.name": "entries", "server.address": "db-1"}):
            import socket
            socket.create_connection(("db-1", 1))

    ledger = web("ledger", {"POST /entries": book})

    def pay():
        requests.post(ledger + "/entries").raise_for_status()
        return "ok"

    several(web("api", {"POST /pay": pay}), 4, "/pay", "POST")


# Nothing is wrong with these.

@recording("handled-failures")
def _():
    """A cache that has nothing (404) and a recommender that fails (500): the page has another answer for both."""
    cache = web("cache", {"GET /entry/<int:key>": lambda key: ("none", 404)})
    recommender = web("recommender", {"GET /recommend": lambda: ("no model", 500)})

    def page():
        if not requests.get(cache + "/entry/5").ok:
            nap(5)
        if not requests.get(recommender + "/recommend").ok:
            return "bestsellers"

    several(web("shop-window", {"GET /page": page}), 4, "/page")


@recording("refused-input")
def _():
    """The client's own mistake: 422 and 401 are answers, not failures."""
    accounts = web("accounts", {"POST /login": lambda: ("wrong password", 401)})

    def login():
        return ("wrong", requests.post(accounts + "/login").status_code)

    base = web("gateway", {"POST /login": login, "POST /form": lambda: ("no name", 422)})
    several(base, 3, "/login", "POST")
    several(base, 3, "/form", "POST")


@recording("fan-out-of-30", new=True)
def _():
    shard = web("shard", {"GET /shard/<int:number>": answers(40)})

    def search():
        here = context.get_current()

        def get(number):
            context.attach(here)
            return requests.get(f"{shard}/shard/{number}").json()

        with ThreadPoolExecutor(30) as pool:
            return jsonify(list(pool.map(get, range(30))))

    several(web("searcher", {"GET /search": search}), 3, "/search")


@recording("long-poll", new=True)
def _():
    """The answer comes when there is news, or after two seconds."""
    events = web("events", {"GET /events": answers(2000, [])})
    several(web("edge", {"GET /events": lambda: requests.get(events + "/events?wait=2").text}), 3, "/events")


@recording("polls-a-job")
def _():
    """Asks for the state of one job, with a pause, until it is done."""
    jobs = web("jobs", {"GET /jobs/<int:number>": answers(55, "running")})

    def export():
        for _ in range(6):
            requests.get(jobs + "/jobs/4711")
            nap(100)
        return "done"

    several(web("exporter", {"POST /export": export}), 3, "/export", "POST")


@recording("writes-in-order")
def _():
    """Reserve, charge, ship: none may begin before the one before has gone well."""
    base = {name: web(name, {f"POST /{name}": answers(45)}) for name in ("reserve", "charge", "ship")}

    def order():
        for name, address in base.items():
            requests.post(f"{address}/{name}").raise_for_status()
        return "ok"

    several(web("fulfilment", {"POST /order": order}), 4, "/order", "POST")


@recording("token-then-data", new=True)
def _():
    """The second call needs the token that the first brought."""
    auth, data = web("auth", {"POST /token": answers(60, "t")}), web("data", {"GET /data": answers(60)})

    def page():
        token = requests.post(auth + "/token").json()
        return requests.get(data + "/data", headers={"X-Token": token}).text

    several(web("portal", {"GET /data": page}), 4, "/data")


@recording("answers-then-works", new=True)
def _():
    """202, and the work goes on in the background, in the same trace, on purpose."""
    tracer = service("thumbnails")

    def accept():
        here = context.get_current()

        def render():
            context.attach(here)
            with tracer.start_as_current_span("render thumbnails"):
                nap(150)

        threading.Thread(target=render).start()
        return "accepted", 202

    thumbnails = web("thumbnails", {"POST /render": accept})
    several(web("gallery", {"POST /photos": lambda: requests.post(thumbnails + "/render").text}), 4, "/photos", "POST")


@recording("grpc-calls")
def _():
    import grpc
    from opentelemetry.instrumentation.grpc import client_interceptor, server_interceptor
    from opentelemetry.instrumentation.grpc.grpcext import intercept_channel
    service("rates"), service("converter")
    handler = grpc.method_handlers_generic_handler("rates.Rates", {
        "Get": grpc.unary_unary_rpc_method_handler(lambda message, _: (nap(25), message)[1])})
    server = grpc.server(ThreadPoolExecutor(4), interceptors=[server_interceptor(tracer_provider=PROVIDERS["rates"])])
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    channel = intercept_channel(grpc.insecure_channel(f"127.0.0.1:{port}"), client_interceptor(tracer_provider=SameService()))
    get = channel.unary_unary("/rates.Rates/Get")
    several(web("converter", {"GET /convert": lambda: get(b"EUR")}), 4, "/convert")


@recording("websocket", new=True)
def _():
    """A connection that is open for three seconds, with a message now and then."""
    tracer = service("chat")
    for _ in range(3):
        with request(), tracer.start_as_current_span("GET /socket", kind=SpanKind.SERVER, attributes={
                "http.request.method": "GET", "http.route": "/socket", "url.path": "/socket", "http.response.status_code": 101,
                "network.protocol.name": "websocket"}):
            for number in range(6):
                nap(480)
                with tracer.start_as_current_span("chat message", attributes={"message.number": number}):
                    nap(2)


main()
