"""What the programs share: services in one process, each with its own provider, and a file a recording."""

import contextlib, json, os, socket, subprocess, sys, threading, time, urllib.request
from pathlib import Path

from opentelemetry import context, propagate, trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from google.protobuf.json_format import MessageToDict

HERE = Path(__file__).resolve().parent
OUT = HERE.parent
RECORDINGS = {}
LINES = []
PROVIDERS = {}

# Every name of a host is this machine.
_getaddrinfo = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: _getaddrinfo("127.0.0.1", *rest, **more)


class Keep(SpanProcessor):
    """Keeps what has ended, and knows how many have not."""

    def __init__(self):
        self.ended, self.open, self.lock = [], 0, threading.Lock()

    def on_start(self, span, parent_context=None):
        with self.lock:
            self.open += 1

    def on_end(self, span):
        with self.lock:
            self.open -= 1
            if span.context.trace_flags.sampled:
                self.ended.append(span)


KEEP = Keep()


def service(name, sampler=None, **attributes):
    """A tracer of a service of this name."""
    if name not in PROVIDERS:
        resource = Resource.create({"service.name": name, **attributes})
        PROVIDERS[name] = TracerProvider(resource=resource, sampler=sampler)
        PROVIDERS[name].add_span_processor(KEEP)
    return PROVIDERS[name].get_tracer(f"{name}.handlers")


class SameService(trace.TracerProvider, trace.Tracer):
    """For instrumentations of the whole process: a span belongs to the service of its parent."""

    def __init__(self, scope="?"):
        self.scope = scope

    def get_tracer(self, scope, *rest, **more):
        return SameService(scope)

    def start_span(self, name, context=None, *rest, **more):
        parent = trace.get_current_span(context)
        if not hasattr(parent, "resource"):
            return trace.NonRecordingSpan(parent.get_span_context())
        provider = PROVIDERS[parent.resource.attributes["service.name"]]
        return provider.get_tracer(self.scope).start_span(name, context, *rest, **more)

    @contextlib.contextmanager
    def start_as_current_span(self, name, context=None, kind=trace.SpanKind.INTERNAL, attributes=None,
                              links=None, start_time=None, record_exception=True,
                              set_status_on_exception=True, end_on_exit=True):
        span = self.start_span(name, context, kind, attributes, links, start_time)
        with trace.use_span(span, end_on_exit, record_exception, set_status_on_exception):
            yield span


def web(name, routes, **attributes):
    """A Flask service; what it calls with requests and sqlite3 has spans too. Its address."""
    from flask import Flask
    from opentelemetry.instrumentation.flask import FlaskInstrumentor
    from opentelemetry.instrumentation.requests import RequestsInstrumentor
    from werkzeug.serving import make_server

    service(name, **attributes)
    app = Flask(name)
    app.logger.disabled = True
    for route, handler in routes.items():
        method, path = route.split()
        app.add_url_rule(path, endpoint=route, view_func=handler, methods=[method])
    FlaskInstrumentor().instrument_app(app, tracer_provider=PROVIDERS[name])
    if not RequestsInstrumentor().is_instrumented_by_opentelemetry:
        RequestsInstrumentor().instrument(tracer_provider=SameService())
    return serve(name, app)


def silent(name, routes):
    """A Flask service without spans: somebody else's."""
    from flask import Flask
    app = Flask(name)
    for route, handler in routes.items():
        method, path = route.split()
        app.add_url_rule(path, endpoint=route, view_func=handler, methods=[method])
    return serve(name, app)


def serve(name, app):
    import logging
    from werkzeug.serving import make_server
    logging.getLogger("werkzeug").disabled = True
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://{name}:{server.port}"


def database(*statements):
    """An sqlite3 database whose rows can be slow: nap(ms, value)."""
    import sqlite3
    from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
    SQLite3Instrumentor().instrument(tracer_provider=SameService())
    path = f"/tmp/elsewhere-{os.getpid()}-{time.monotonic_ns()}.db"

    def connect():
        connection = sqlite3.connect(path, timeout=10)
        connection.create_function("nap", 2, lambda ms, value: (time.sleep(ms / 1000), value)[1])
        return connection

    connection = connect()
    for statement in statements:
        connection.cursor().execute(statement)
    connection.commit()
    return connect


def visit(url, method="GET", headers={}, data=None):
    """The outside world: no spans."""
    try:
        request = urllib.request.Request(url, method=method, headers=headers, data=data)
        return urllib.request.urlopen(request).read()
    except urllib.error.HTTPError as error:
        return error.read()


def crowd(count, visit, apart_ms=0):
    """Visits at the same time."""
    threads = [threading.Thread(target=visit, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
        time.sleep(apart_ms / 1000)
    for thread in threads:
        thread.join()


def work(ms):
    """Computes."""
    end = time.perf_counter() + ms / 1000
    while time.perf_counter() < end:
        sum(range(200))


def nap(ms):
    time.sleep(ms / 1000)


@contextlib.contextmanager
def request(change=None):
    """What has a span in here is one line of the file."""
    yield
    for _ in range(2):
        while KEEP.open:
            time.sleep(0.005)
        time.sleep(0.02)
    ended, KEEP.ended = KEEP.ended, []
    document = MessageToDict(encode_spans(ended), use_integers_for_enums=True)
    for resource in document["resourceSpans"]:
        resource["resource"]["attributes"] = [
            one for one in resource["resource"]["attributes"] if not one["key"].startswith("telemetry.")]
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                hexadecimal(span)
                for link in span.get("links", []):
                    hexadecimal(link)
    LINES.append(change(document) or document if change else document)


def hexadecimal(thing):
    import base64
    for key in ("traceId", "spanId", "parentSpanId"):
        if key in thing:
            thing[key] = base64.b64decode(thing[key]).hex()


def spans_of(document, name=None):
    """The spans of the service of this name."""
    for resource in document["resourceSpans"]:
        own = [one["value"]["stringValue"] for one in resource["resource"]["attributes"] if one["key"] == "service.name"]
        for scope in resource["scopeSpans"]:
            if name in (None, *own):
                yield scope["spans"]


def recording(name, expected=(), allowed=(), new=False):
    """A file of this name, labelled; `new`: with today's names of attributes."""
    def keep(function):
        RECORDINGS[name] = (function, list(expected), list(allowed), new)
        return function
    return keep


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--only":
        name = sys.argv[2]
        RECORDINGS[name][0]()
        lines = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in LINES)
        path = OUT / f"{name}.otlp.jsonl.zst"
        subprocess.run(["zstd", "-19", "-q", "-f", "-o", path], input=lines.encode(), check=True)
        print(f"{name}: {len(LINES)} lines, {len(lines)} bytes, packed {path.stat().st_size}", flush=True)
        os._exit(0)
    for name in sys.argv[1:] or RECORDINGS:
        _, expected, allowed, new = RECORDINGS[name]
        env = dict(os.environ, OTEL_SEMCONV_STABILITY_OPT_IN="http,database" if new else "")
        subprocess.run([sys.executable, sys.argv[0], "--only", name], env=env, check=True)
        label(name, expected, allowed)


def label(name, expected, allowed):
    path = OUT / "labels.json"
    labels = json.loads(path.read_text()) if path.exists() else {}
    labels[name] = {"expected": expected, "allowed": allowed}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(labels[name])}" for name in sorted(labels))
    path.write_text("{\n" + lines + "\n}\n")
