"""What a user of pika does with a broker, each thing with what must come of it.

usage: with_pika.py URL all     on a broker that holds nothing yet
       with_pika.py URL put     leave messages that must outlive the broker
       with_pika.py URL find    find them again
"""

import datetime
import decimal
import sys
import time

import pika
from pika.exceptions import ChannelClosedByBroker, UnroutableError

PATIENCE = 30
PERSISTENT = pika.BasicProperties(delivery_mode=2)


def main(url, what):
    steps = {
        "all": [
            topology, confirms_and_returns, every_property_and_field, large_messages, prefetch,
            acknowledgements, dead_letters, time_to_live, get_purge_and_delete,
            what_is_not_there, heartbeats,
        ],
        "put": [put],
        "find": [find],
    }[what]
    parameters = pika.URLParameters(url)
    with pika.BlockingConnection(parameters) as connection:
        for step in steps:
            print(step.__name__, flush=True)
            channel = connection.channel()
            step(channel)
            if channel.is_open:
                channel.close()


# === Steps ===


def topology(channel):
    channel.exchange_declare("shop", "topic", durable=True)
    channel.exchange_declare("dead", "fanout", durable=True)
    channel.queue_declare("buried", durable=True)
    channel.queue_bind("buried", "dead")
    arguments = {"x-dead-letter-exchange": "dead", "x-max-length": 1000}
    declared = channel.queue_declare("orders", durable=True, arguments=arguments)
    same(declared.method.queue, "orders")
    channel.queue_bind("orders", "shop", "order.*")
    # Again, and the same: nothing changes.
    channel.queue_declare("orders", durable=True, arguments=arguments)
    named = channel.queue_declare("", exclusive=True).method.queue
    assert named.startswith("amq.gen"), named


def confirms_and_returns(channel):
    channel.confirm_delivery()
    channel.basic_publish("shop", "order.placed", b"1", PERSISTENT, mandatory=True)
    try:
        channel.basic_publish("shop", "payment.made", b"2", PERSISTENT, mandatory=True)
    except UnroutableError as error:
        [returned] = error.messages
        same((returned.method.reply_code, returned.method.reply_text), (312, "NO_ROUTE"))
        same((returned.method.routing_key, returned.body), ("payment.made", b"2"))
    else:
        raise AssertionError("a mandatory message without a queue was not returned")
    method, properties, body = channel.basic_get("orders", auto_ack=True)
    same((method.exchange, method.routing_key, body), ("shop", "order.placed", b"1"))
    same((properties.delivery_mode, method.redelivered), (2, False))


def every_property_and_field(channel):
    headers = {
        "ascii": "traceparent",
        "unicode": "Grüße, 世界 🦀",
        "schlüssel": "a name that is not ASCII",
        "small": 1,
        "negative": -70000,
        "long": 1 << 40,
        "true": True,
        "false": False,
        "nothing": None,
        "decimal": decimal.Decimal("3.14"),
        "time": datetime.datetime(2026, 11, 25, 12, 30, 15, tzinfo=datetime.UTC),
        "octets": b"\x00\xff\xce",
        "table": {"inner": {"innermost": "x"}, "n": 5},
        "list": [1, "zwei", {"drei": 3}, [4]],
        "empty": {},
    }
    properties = pika.BasicProperties(
        content_type="application/json", content_encoding="identity", headers=headers,
        delivery_mode=2, priority=5, correlation_id="c-1", reply_to="answers",
        expiration="3600000", message_id="m-1", timestamp=1_764_000_000, type="order",
        user_id="guest", app_id="shop",
    )
    channel.queue_declare("fields")
    channel.basic_publish("", "fields", b"{}", properties)
    _, found, body = channel.basic_get("fields", auto_ack=True)
    same(body, b"{}")
    same(found.headers, headers)
    same(found, properties)


def large_messages(channel):
    channel.confirm_delivery()
    channel.queue_declare("large")
    for size in (0, 131_064, 131_065, 1 << 20):
        sent = bytes(n % 251 for n in range(size))
        channel.basic_publish("", "large", sent)
        _, _, body = channel.basic_get("large", auto_ack=True)
        assert body == sent, f"a body of {size} octets came out as one of {len(body)}"


def prefetch(channel):
    channel.queue_declare("windowed")
    for n in range(5):
        channel.basic_publish("", "windowed", str(n))
    channel.basic_qos(prefetch_count=2)
    got = []
    tag = channel.basic_consume("windowed", lambda *delivery: got.append(delivery))
    deliveries(channel, got, 2)
    waits(channel, "windowed", 3)
    same(len(got), 2)
    channel.basic_ack(got[-1][1].delivery_tag, multiple=True)
    deliveries(channel, got, 4)
    channel.basic_ack(got[-1][1].delivery_tag, multiple=True)
    deliveries(channel, got, 5)
    same([body for *_, body in got], [b"0", b"1", b"2", b"3", b"4"])
    channel.basic_cancel(tag)
    # What was delivered may still be acknowledged after that, and nothing more comes.
    channel.basic_ack(got[-1][1].delivery_tag)
    channel.basic_publish("", "windowed", "later")
    waits(channel, "windowed", 1)
    same(len(got), 5)


def acknowledgements(channel):
    channel.queue_declare("work")
    for n in range(3):
        channel.basic_publish("", "work", str(n))
    methods = [channel.basic_get("work")[0] for _ in range(3)]
    channel.basic_nack(methods[0].delivery_tag, requeue=True)
    channel.basic_reject(methods[1].delivery_tag, requeue=True)
    channel.basic_ack(methods[2].delivery_tag)
    for expected in (b"0", b"1"):
        method, _, body = channel.basic_get("work", auto_ack=True)
        same((method.redelivered, body), (True, expected))
    same(channel.basic_get("work"), (None, None, None))


def dead_letters(channel):
    channel.basic_publish("shop", "order.placed", b"bad", pika.BasicProperties(headers={"a": 1}))
    method, _, _ = arrives(channel, "orders")
    channel.basic_nack(method.delivery_tag, requeue=False)
    method, properties, body = arrives(channel, "buried")
    same((method.exchange, method.routing_key, body), ("dead", "order.placed", b"bad"))
    [death] = properties.headers["x-death"]
    assert isinstance(death.pop("time"), datetime.datetime), death
    same(death, {
        "count": 1, "reason": "rejected", "queue": "orders", "exchange": "shop",
        "routing-keys": ["order.placed"],
    })
    same(properties.headers["x-first-death-queue"], "orders")
    same(properties.headers["a"], 1)
    channel.basic_ack(method.delivery_tag)


def time_to_live(channel):
    arguments = {"x-message-ttl": 40, "x-dead-letter-exchange": "dead"}
    channel.queue_declare("fleeting", arguments=arguments)
    channel.basic_publish("", "fleeting", b"by the queue's time")
    _, properties, body = arrives(channel, "buried", auto_ack=True)
    [death] = properties.headers["x-death"]
    same((body, death["reason"]), (b"by the queue's time", "expired"))
    channel.basic_publish(
        "shop", "order.placed", b"by its own time", pika.BasicProperties(expiration="30"))
    _, properties, body = arrives(channel, "buried", auto_ack=True)
    [death] = properties.headers["x-death"]
    same((body, death["original-expiration"]), (b"by its own time", "30"))
    same(properties.expiration, None)


def get_purge_and_delete(channel):
    channel.queue_declare("full")
    for n in range(3):
        channel.basic_publish("", "full", str(n))
    waits(channel, "full", 3)
    method, _, _ = channel.basic_get("full", auto_ack=True)
    same(method.message_count, 2)
    same(channel.queue_purge("full").method.message_count, 2)
    channel.queue_unbind("orders", "shop", "order.*")
    channel.confirm_delivery()
    try:
        channel.basic_publish("shop", "order.placed", b"", mandatory=True)
    except UnroutableError:
        pass
    else:
        raise AssertionError("an unbound queue got a message")
    channel.queue_delete("full")
    channel.exchange_delete("shop")


def what_is_not_there(channel):
    connection = channel.connection
    for ask, code in [
        (lambda it: it.queue_declare("full", passive=True), 404),
        (lambda it: it.exchange_declare("shop", passive=True), 404),
        (lambda it: it.queue_declare("orders", durable=False), 406),
        (lambda it: it.queue_declare("amq.mine"), 403),
    ]:
        asking = connection.channel()
        try:
            ask(asking)
        except ChannelClosedByBroker as error:
            same(error.reply_code, code)
        else:
            raise AssertionError(f"{code} was expected")
    assert connection.is_open
    connection.channel().queue_declare("orders", passive=True)


def heartbeats(channel):
    parameters = pika.ConnectionParameters(
        host=channel.connection._impl.params.host, port=channel.connection._impl.params.port,
        virtual_host=channel.connection._impl.params.virtual_host, heartbeat=1)
    with pika.BlockingConnection(parameters) as beating:
        # Longer than either side waits for the other: only heartbeats keep it.
        beating.process_data_events(time_limit=4)
        beating.channel().queue_declare("orders", passive=True)


def put(channel):
    channel.confirm_delivery()
    channel.queue_declare("kept", durable=True)
    for n in range(100):
        channel.basic_publish("", "kept", str(n), PERSISTENT, mandatory=True)


def find(channel):
    for n in range(100):
        _, properties, body = channel.basic_get("kept", auto_ack=True)
        same((body, properties.delivery_mode), (str(n).encode(), 2))
    same(channel.basic_get("kept"), (None, None, None))


# === Expectations ===


def same(found, expected):
    assert found == expected, f"found    {found!r}\nexpected {expected!r}"


def eventually(what, ask):
    deadline = time.monotonic() + PATIENCE
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"{what} has not come to be"
        time.sleep(0.01)
    return answer


def deliveries(channel, got, count):
    deadline = time.monotonic() + PATIENCE
    while len(got) < count:
        assert time.monotonic() < deadline, f"{len(got)} of {count} deliveries came"
        channel.connection.process_data_events(time_limit=0.1)


def waits(channel, queue, count):
    eventually(
        f"{count} messages in {queue}",
        lambda: channel.queue_declare(queue, passive=True).method.message_count == count)


def arrives(channel, queue, auto_ack=False):
    def ask():
        got = channel.basic_get(queue, auto_ack=auto_ack)
        return got if got[0] else None

    return eventually(f"a message in {queue}", ask)


main(*sys.argv[1:])
