"""What a user of celery does with a broker, each thing with what must come of it.

usage: with_celery.py URL all     on a broker that holds nothing yet
"""

import os
import subprocess
import sys
import time

from celery import Celery, chain, group
from kombu import Exchange, Queue

PATIENCE = 30

app = Celery("tracelab", broker=os.environ.get("BROKER"), backend="rpc://")
app.conf.update(
    task_queues=[
        Queue("celery", Exchange("celery", "direct"), routing_key="celery"),
        Queue("mails", Exchange("mails", "topic"), routing_key="mail.#"),
    ],
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"confirm_publish": True},
    task_send_sent_event=True,
    worker_send_task_events=True,
)


@app.task(name="add")
def add(a, b):
    return a + b


@app.task(bind=True, max_retries=3, name="at_the_third_try")
def at_the_third_try(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0.01)
    return self.request.retries


@app.task(name="fail")
def fail():
    raise ValueError("as it should")


@app.task(bind=True, name="where")
def where(self):
    info = self.request.delivery_info
    return [info["exchange"], info["routing_key"]]


def main(url, what):
    assert what == "all", what
    steps = [
        results, retries, failures, chains_and_groups, later, routes, pings, events, large_arguments,
    ]
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "with_celery", "worker", "-P", "solo", "-l", "critical"],
        cwd=os.path.dirname(os.path.abspath(__file__)), env=dict(os.environ, BROKER=url),
        stdout=subprocess.DEVNULL,
    )
    try:
        app.conf.broker_url = url
        for step in steps:
            print(step.__name__, flush=True)
            step()
        # A warm shutdown: it cancels its consumers and closes its connections.
        worker.terminate()
        same(worker.wait(PATIENCE), 0)
    finally:
        worker.kill()


# === Steps ===


def results():
    same([add.delay(n, 1).get(PATIENCE) for n in range(20)], list(range(1, 21)))


def retries():
    same(at_the_third_try.delay().get(PATIENCE), 2)


def failures():
    try:
        fail.delay().get(PATIENCE)
    except ValueError as error:
        same(str(error), "as it should")
    else:
        raise AssertionError("a task that fails gave a result")


def chains_and_groups():
    same(chain(add.s(1, 2), add.s(3), add.s(4))().get(PATIENCE), 10)
    same(group(add.s(n, n) for n in range(5))().get(PATIENCE), [0, 2, 4, 6, 8])


def later():
    start = time.monotonic()
    same(add.apply_async((1, 1), countdown=0.3).get(PATIENCE), 2)
    assert time.monotonic() - start >= 0.3, "a task with a countdown came too early"


def routes():
    sent = where.apply_async(exchange="mails", routing_key="mail.order.placed")
    same(sent.get(PATIENCE), ["mails", "mail.order.placed"])


def pings():
    """By a fanout exchange, to a queue that expires, with an answer by a direct one."""
    answers = app.control.ping(timeout=5, limit=1)
    same([list(answer.values()) for answer in answers], [[{"ok": "pong"}]])
    [found] = app.control.inspect(timeout=5, limit=1).registered().values()
    assert any(name.endswith("add") for name in found), found


def events():
    seen = []
    with app.connection_for_read() as connection:
        def took(event):
            seen.append(event["type"])
            if event["type"] == "task-succeeded":
                receiver.should_stop = True

        receiver = app.events.Receiver(connection, handlers={"*": took})
        # The receiver has its queue before the task is sent.
        with receiver.consumer_context(limit=None, timeout=PATIENCE, wakeup=False):
            sent = add.delay(2, 2)
            deadline = time.monotonic() + PATIENCE
            while "task-succeeded" not in seen and time.monotonic() < deadline:
                try:
                    connection.drain_events(timeout=1)
                except TimeoutError:
                    pass
            same(sent.get(PATIENCE), 4)
    assert "task-succeeded" in seen, seen


def large_arguments():
    text = "x" * (1 << 20)
    same(add.delay(text, "y").get(PATIENCE), text + "y")


def same(found, expected):
    assert found == expected, f"{found!r:.200} is not {expected!r:.200}"


if __name__ == "__main__":
    main(*sys.argv[1:])
