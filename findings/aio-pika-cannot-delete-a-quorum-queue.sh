#!/usr/bin/env bash
# aio-pika 10.2.1 with RabbitMQ 3.10.8: `await queue.delete()` of a quorum queue ends the whole connection. The queue
# is not deleted, and every channel of the connection is gone.
#
# aio-pika sets if-unused and if-empty unless told otherwise. RabbitMQ supports neither for quorum queues, and answers
# with 540 (NOT_IMPLEMENTED), which in AMQP 0-9-1 closes the connection (1.2, reply codes).
#
# Seen: ConnectionNotImplemented, "queue.delete operations with if-unused flag set are not supported by quorum queues";
# with both arguments set to False, the same queue is deleted.
# Consequence for a user: call `queue.delete(if_unused=False, if_empty=False)`.
#
# It takes RabbitMQ and Erlang from the packages of Debian 12, and unpacks them into a temporary folder.
set -euo pipefail

folder=$(mktemp -d)
chmod 755 "$folder"
names=
node=
finish() {
  [ -z "$node" ] || kill -s KILL -- "-$node" 2>/dev/null || true
  [ -z "$names" ] || kill "$names" 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT
cd "$folder"

apt-get download -qq rabbitmq-server erlang-base \
  erlang-{asn1,crypto,eldap,inets,mnesia,os-mon,parsetools,public-key,runtime-tools,ssl,syntax-tools,tools,xmerl} 2>apt.log \
  || { cat apt.log >&2; exit 3; }
for package in *.deb; do dpkg-deb -x "$package" root; done
# Erlang's scripts name the folder in which the package would be installed.
sed -i "s,/usr/lib/erlang,$folder/root&," root/usr/lib/erlang/bin/erl root/usr/lib/erlang/erts-*/bin/erl
export PATH=$folder/root/usr/lib/rabbitmq/bin:$folder/root/usr/bin:$PATH

python3 -m venv venv
venv/bin/pip install --quiet aio-pika==10.2.1

read -r amqp distribution epmd < <(python3 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(one.getsockname()[1] for one in held))')
echo "listeners.tcp.1 = 127.0.0.1:$amqp" >rabbitmq.conf
echo '[].' >plugins
export HOME=$folder ERL_EPMD_PORT=$epmd RABBITMQ_NODENAME=look$amqp@localhost RABBITMQ_DIST_PORT=$distribution \
  RABBITMQ_MNESIA_BASE=$folder/mnesia RABBITMQ_LOG_BASE=$folder/log RABBITMQ_CONFIG_FILE=$folder/rabbitmq.conf \
  RABBITMQ_ENABLED_PLUGINS_FILE=$folder/plugins
# If the node found no daemon of names, it would start one that outlives it.
epmd -address 127.0.0.1 -port "$epmd" </dev/null >/dev/null 2>&1 &
names=$!
setsid rabbitmq-server </dev/null >node.log 2>&1 &
node=$!
disown "$names" "$node"
until grep -q "Starting broker.* completed" node.log; do
  kill -0 "$node" 2>/dev/null || { cat node.log >&2; exit 3; }
  sleep 0.1
done

seen=$(AMQP=$amqp venv/bin/python - 2>python.log <<'END'
import asyncio, os, aio_pika

async def delete(**arguments):
    connection = await aio_pika.connect(f"amqp://guest:guest@127.0.0.1:{os.environ['AMQP']}/")
    channel = await connection.channel()
    queue = await channel.declare_queue("q", durable=True, arguments={"x-queue-type": "quorum"})
    try:
        await queue.delete(**arguments)
        return "deleted"
    except aio_pika.exceptions.AMQPError as error:
        said = "if-unused" if "if-unused flag set are not supported" in str(error) else str(error)
        return f"{type(error).__name__} ({said})"

async def main():
    print(await delete())
    print(await delete(if_unused=False, if_empty=False))

asyncio.run(main())
END
) || { cat python.log >&2; exit 3; }

if [ "$seen" = $'ConnectionNotImplemented (if-unused)\ndeleted' ]; then
  echo "aio-pika 10.2.1: queue.delete() of a quorum queue closes the connection to RabbitMQ 3.10.8 with 540"
else
  printf 'it is no longer so: without and with the arguments:\n%s\n' "$seen" >&2
  exit 1
fi
