# Runs a node of RabbitMQ, and the daemon that knows the names of nodes, until standard input ends:
# then the tests are through, or were killed, and all is taken away. A line on standard input kills
# the node and starts it again.
#
# usage: sh node.sh RABBITMQ-SERVER FOLDER, with ERL_EPMD_PORT and the node's own variables

server=$1 folder=$2

start() {
  # A group of its own, so that no process of it is left.
  setsid "$server" </dev/null &
  node=$!
  echo "$node" >>"$folder/starts"
}

stop() {
  kill -s KILL -- "-$node" || kill -s KILL "$node"
  wait "$node"
}

# If a node found none, it would start one that outlives it.
epmd -address 127.0.0.1 -port "$ERL_EPMD_PORT" </dev/null &
names=$!
start
while read -r _; do
  stop
  start
done
stop
kill -s KILL "$names"
wait
rm -rf "$folder"
