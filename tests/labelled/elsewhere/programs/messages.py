"""Programs with a queue: a broker in this process, and spans as the conventions of messaging say."""

import queue, threading, uuid

from record import *
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

QUEUES = {}


def attributes(topic, operation, number, new):
    if new:
        return {"messaging.system": "rabbitmq", "messaging.destination.name": topic, "messaging.operation.type": operation,
                "messaging.operation.name": {"send": "publish"}.get(operation, operation), "messaging.message.id": number}
    return {"messaging.system": "kafka", "messaging.destination": topic, "messaging.destination_kind": "topic",
            "messaging.operation": operation, "messaging.message_id": number}


def publish(tracer, topic, body="", new=False):
    number = str(uuid.uuid4())
    with tracer.start_as_current_span(f"{topic} send", kind=SpanKind.PRODUCER, attributes=attributes(topic, "send", number, new)):
        headers = {}
        propagate.inject(headers)
        nap(1)
        message = {"id": number, "headers": headers, "body": body}
        QUEUES.setdefault(topic, queue.Queue()).put(message)
    return message


def process(tracer, topic, message, handle, new=False, linked=False):
    """One delivery; whether it went well."""
    came_from = propagate.extract(message["headers"])
    producer = trace.get_current_span(came_from).get_span_context()
    where = {"links": [Link(producer)]} if linked else {"context": came_from}
    try:
        with tracer.start_as_current_span(f"{topic} process", kind=SpanKind.CONSUMER,
                                          attributes=attributes(topic, "process", message["id"], new), **where):
            handle(message)
        return True
    except RuntimeError:
        return False


def shop(topic, new=False):
    tracer = service("orders")

    def order():
        publish(tracer, topic, new=new)
        return "accepted", 202

    return web("orders", {"POST /orders": order})


def take(topic):
    return QUEUES.setdefault(topic, queue.Queue()).get()


@recording("message-twice", expected=["redelivery"])
def _():
    """The acknowledgement is lost: a message is delivered again, and all is done again."""
    base, mailer = shop("mails"), service("mailer")
    for _ in range(4):
        with request():
            visit(base + "/orders", "POST")
            message = take("mails")
            for _ in range(2):
                process(mailer, "mails", message, lambda _: nap(15))
                nap(30)


@recording("message-twice-by-links", expected=["redelivery"], new=True)
def _():
    """As above; each processing has a trace of its own, with a link to what sent the message."""
    base, mailer = shop("receipts", new=True), service("receipts")
    for _ in range(4):
        with request():
            visit(base + "/orders", "POST")
            message = take("receipts")
            for _ in range(2):
                process(mailer, "receipts", message, lambda _: nap(15), new=True, linked=True)
                nap(30)


@recording("message-second-attempt", allowed=["error"], new=True)
def _():
    """The first attempt fails, the second goes well: that is what a queue is for."""
    base, mailer = shop("invoices", new=True), service("invoices")
    for _ in range(4):
        times = []

        def handle(_):
            times.append(1)
            nap(10)
            if len(times) == 1:
                raise RuntimeError("printer is offline")

        with request():
            visit(base + "/orders", "POST")
            message = take("invoices")
            while not process(mailer, "invoices", message, handle, new=True, linked=True):
                nap(40)


@recording("dead-letters", expected=["dead-letter"], allowed=["redelivery", "error"])
def _():
    """Three attempts in vain, and then the message goes to another topic."""
    base, stock = shop("reservations"), service("reservations")

    def fails(_):
        nap(10)
        raise RuntimeError("unknown article")

    for _ in range(4):
        with request():
            visit(base + "/orders", "POST")
            message = take("reservations")
            for _ in range(3):
                process(stock, "reservations", message, fails)
                nap(30)
            with trace.use_span(trace.NonRecordingSpan(trace.get_current_span(propagate.extract(message["headers"])).get_span_context())):
                publish(stock, "reservations.DLT")


@recording("dead-letters-below-the-consumer", expected=["dead-letter"], allowed=["redelivery", "error"], new=True)
def _():
    """The same, and the last attempt itself puts it there."""
    base, stock = shop("parcels", new=True), service("parcels")
    attempts = []

    def fails(_):
        attempts.append(1)
        nap(10)
        if len(attempts) % 3 == 0:
            publish(stock, "parcels-dead-letter", new=True)
        raise RuntimeError("no such street")

    for _ in range(4):
        with request():
            visit(base + "/orders", "POST")
            message = take("parcels")
            for _ in range(3):
                process(stock, "parcels", message, fails, new=True)
                nap(30)


@recording("queue-behind", expected=["queue-delay"])
def _():
    """One consumer, 300 ms a message, and ten messages that are there before it is the turn of those recorded."""
    base, worker = shop("videos"), service("encoder")
    for _ in range(3):
        with request():
            visit(base + "/orders", "POST")
            for _ in range(5):
                nap(300)
            process(worker, "videos", take("videos"), lambda _: nap(60))


@recording("queue-behind-new-names", expected=["queue-delay"], new=True)
def _():
    """The consumer has a trace of its own, with a link to what asked for it."""
    base, worker = shop("thumbs", new=True), service("resizer")
    for _ in range(3):
        with request():
            visit(base + "/orders", "POST")
            nap(1600)
            process(worker, "thumbs", take("thumbs"), lambda _: nap(60), new=True, linked=True)


# Nothing is wrong with these.

@recording("three-subscribers", new=True)
def _():
    """One message, and three services that each have it once."""
    base = shop("order-placed", new=True)
    subscribers = [service(name) for name in ("mail", "loyalty", "analytics")]
    for _ in range(4):
        with request():
            visit(base + "/orders", "POST")
            message = take("order-placed")
            crowd(3, lambda number: process(subscribers[number], "order-placed", message, lambda _: nap(12), new=True))


@recording("batch-of-50", new=True)
def _():
    """A consumer takes fifty messages at once; its span links to each of them."""
    sensor, store = service("sensor"), service("store")
    for _ in range(2):
        with request():
            for _ in range(50):
                publish(sensor, "samples", new=True)
            links = [Link(trace.get_current_span(propagate.extract(take("samples")["headers"])).get_span_context()) for _ in range(50)]
            with store.start_as_current_span("samples process", kind=SpanKind.CONSUMER, links=links, attributes={
                    "messaging.system": "kafka", "messaging.destination.name": "samples", "messaging.operation.type": "process",
                    "messaging.batch.message_count": 50}):
                with store.start_as_current_span("INSERT samples", kind=SpanKind.CLIENT, attributes={
                        "db.system.name": "postgresql", "db.operation.name": "INSERT", "db.operation.batch.size": 50,
                        "db.query.text": "INSERT INTO samples VALUES ($1, $2)", "server.address": "db"}):
                    nap(12)


@recording("queue-in-time")
def _():
    base, worker = shop("notes"), service("noter")
    for _ in range(4):
        with request():
            visit(base + "/orders", "POST")
            nap(15)
            process(worker, "notes", take("notes"), lambda _: nap(40))


main()
