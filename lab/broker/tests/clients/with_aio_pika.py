"""What a user of aio-pika does with a broker, each thing with what must come of it.

usage: with_aio_pika.py URL all     on a broker that holds nothing yet
"""

import asyncio
import sys

import aio_pika
from aio_pika import DeliveryMode, ExchangeType, Message
from aio_pika.exceptions import ChannelPreconditionFailed, QueueEmpty
from aio_pika.patterns import RPC, Master

PATIENCE = 30


async def main(url, what):
    assert what == "all", what
    steps = [
        confirms_and_returns, routing_by_headers, exchanges_bound_to_exchanges, rest_of_an_exchange,
        calls_of_procedures, shared_work, prefetch, dead_letters, what_is_refused, quorum_queue,
    ]
    for step in steps:
        print(step.__name__, flush=True)
        connection = await aio_pika.connect_robust(url)
        async with asyncio.timeout(PATIENCE), connection:
            await step(await connection.channel())


# === Steps ===


async def confirms_and_returns(channel):
    queue = await channel.declare_queue("orders", durable=True)
    message = Message(b"1", delivery_mode=DeliveryMode.PERSISTENT, headers={"n": 5, "f": 0.5})
    confirmed = await channel.default_exchange.publish(message, "orders")
    same(type(confirmed).__name__, "Ack")
    got = await queue.get(timeout=PATIENCE, no_ack=True)
    same((got.body, got.headers["n"], got.headers["f"]), (b"1", 5, 0.5))
    returned = await channel.default_exchange.publish(Message(b"2"), "nowhere", mandatory=True)
    same(returned.delivery.reply_code, 312)


async def routing_by_headers(channel):
    exchange = await channel.declare_exchange("by-headers", ExchangeType.HEADERS)
    both = await channel.declare_queue("both", exclusive=True)
    either = await channel.declare_queue("either", exclusive=True)
    wanted = {"region": "eu", "express": True}
    await both.bind(exchange, "", arguments={"x-match": "all", **wanted})
    await either.bind(exchange, "", arguments={"x-match": "any", **wanted})
    await exchange.publish(Message(b"eu", headers={"region": "eu"}), "")
    await exchange.publish(Message(b"all", headers=wanted), "")
    same((await both.get(timeout=PATIENCE, no_ack=True)).body, b"all")
    for expected in (b"eu", b"all"):
        same((await either.get(timeout=PATIENCE, no_ack=True)).body, expected)


async def exchanges_bound_to_exchanges(channel):
    first = await channel.declare_exchange("first", ExchangeType.TOPIC)
    second = await channel.declare_exchange("second", ExchangeType.FANOUT, internal=True)
    await second.bind(first, "order.*")
    queue = await channel.declare_queue("bound", exclusive=True)
    await queue.bind(second, "")
    await first.publish(Message(b"1"), "order.placed")
    same((await queue.get(timeout=PATIENCE, no_ack=True)).routing_key, "order.placed")
    await second.unbind(first, "order.*")
    await first.publish(Message(b"2"), "order.placed", mandatory=False)
    await empty(queue)


async def rest_of_an_exchange(channel):
    rest = await channel.declare_exchange("rest", ExchangeType.FANOUT)
    arguments = {"alternate-exchange": "rest"}
    exchange = await channel.declare_exchange("with-rest", ExchangeType.DIRECT, arguments=arguments)
    queue = await channel.declare_queue("the-rest", exclusive=True)
    await queue.bind(rest)
    await exchange.publish(Message(b"1"), "not.bound")
    same((await queue.get(timeout=PATIENCE, no_ack=True)).exchange, "with-rest")


async def calls_of_procedures(channel):
    rpc = await RPC.create(channel)

    async def twice(n):
        return 2 * n

    await rpc.register("twice", twice, auto_delete=True)
    same(await rpc.proxy.twice(n=21), 42)
    await rpc.close()


async def shared_work(channel):
    master = Master(channel)
    done = asyncio.Queue()

    async def work(n):
        await done.put(n)

    worker = await master.create_worker("work", work, auto_delete=True)
    for n in range(5):
        await master.create_task("work", kwargs={"n": n})
    same(sorted([await done.get() for _ in range(5)]), [0, 1, 2, 3, 4])
    await worker.close()


async def prefetch(channel):
    await channel.set_qos(prefetch_count=1)
    queue = await channel.declare_queue("one-by-one", exclusive=True)
    for n in range(3):
        await channel.default_exchange.publish(Message(str(n).encode()), "one-by-one")
    bodies = []
    async with queue.iterator() as messages:
        async for message in messages:
            async with message.process():
                bodies.append(message.body)
            if len(bodies) == 3:
                break
    same(bodies, [b"0", b"1", b"2"])


async def dead_letters(channel):
    dead = await channel.declare_queue("buried", exclusive=True)
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "buried"}
    queue = await channel.declare_queue("dying", exclusive=True, arguments=arguments)
    message = Message(b"1", headers={"CC": ["nowhere"]})
    await channel.default_exchange.publish(message, "dying")
    await (await queue.get(timeout=PATIENCE)).reject()
    for _ in range(PATIENCE * 20):
        found = await dead.get(no_ack=True, fail=False)
        if found:
            break
        await asyncio.sleep(0.05)
    [death] = found.headers["x-death"]
    same((death["reason"], death["routing-keys"]), ("rejected", ["dying", "nowhere"]))


async def what_is_refused(channel):
    await channel.declare_queue("as-it-is", exclusive=True)
    try:
        await channel.declare_queue("as-it-is", exclusive=True, arguments={"x-max-length": 5})
    except ChannelPreconditionFailed as error:
        assert "inequivalent arg 'x-max-length'" in str(error), error
    else:
        raise AssertionError("a queue was declared again with other arguments")


async def quorum_queue(channel):
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": 5}
    queue = await channel.declare_queue("quorum", durable=True, arguments=arguments)
    await channel.default_exchange.publish(Message(b"1"), "quorum")
    got = await queue.get(timeout=PATIENCE)
    same(got.headers["x-delivery-count"], 0)
    await got.ack()
    await queue.delete(if_unused=False, if_empty=False)


# === Checks ===


async def empty(queue):
    try:
        found = await queue.get(no_ack=True)
    except QueueEmpty:
        return
    raise AssertionError(f"a message that should not be there: {found.body}")


def same(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
