# Functions that run AMQP clients of others against the embedded broker and against RabbitMQ; to be sourced
# after postgresql.sh. Everything is in $work, a folder that the script removes, and the programs of
# scripts/parts are on the path.

# The clients, and what of each is run: its own suite where its package holds one, otherwise a script of ours.
amqp_clients=(amqp091-go py-amqp pika amqplib celery aio-pika)

# What the embedded broker refuses by name, as extended regular expressions for names of tests.
declare -A unsupported=([amqp091-go]='^TestIntegrationTx(Commit|Rollback)$')

# run_client CLIENT HOST:PORT VHOST: the output says which tests passed.
run_client() {
  local client=$1 address=$2 vhost=$3 url scripts=lab/broker/tests/clients
  url=amqp://guest:guest@$address/$vhost
  case $client in
    # Without the tests that cut connections through RabbitMQ's management API, at a fixed port.
    amqp091-go) AMQP_URL=$url amqp091-go-suite -test.v -test.skip '^TestConnectionRecovery' ;;
    # Without the tests with TLS, which neither broker is set up for.
    py-amqp) RABBITMQ_HOST=${address%:*} RABBITMQ_5672_TCP=${address#*:} py-amqp-suite -v -k 'not tls' ;;
    pika) python-with-pika "$scripts/with_pika.py" "$url" all ;;
    amqplib) node-with-amqplib "$scripts/with_amqplib.js" "$url" all ;;
    celery) python-with-celery "$scripts/with_celery.py" "$url" all ;;
    aio-pika) python-with-aio-pika "$scripts/with_aio_pika.py" "$url" all ;;
  esac
}

# tests_of CLIENT LOG CODE: prints "passed" or "failed" and the name of each test. A script names each step
# before it begins, and ends at the first that fails.
tests_of() {
  case $1 in
    amqp091-go) sed -nE 's/^--- PASS: ([^ ]+).*/passed \1/p; s/^--- FAIL: ([^ ]+).*/failed \1/p' "$2" ;;
    py-amqp) sed -nE 's/^([^ ]+) PASSED .*/passed \1/p; s/^([^ ]+) (FAILED|ERROR) .*/failed \2/p' "$2" ;;
    *)
      awk -v code="$3" '/^[A-Za-z_]+$/ { if (step) print "passed", step; step = $0 }
        END { if (step) print (code ? "failed" : "passed"), step }' "$2"
      ;;
  esac
  # A suite that ends early has run no test after that.
  [ "$3" = 0 ] || [ "$3" = 1 ] || echo "failed (exit code $3)"
}

# try_client CLIENT BROKER ADDRESS VHOST: runs a client; its result is in $found, and $failures grows.
try_client() {
  local client=$1 broker=$2 log code=0 result test known passed=0 failed=() lacking=()
  log=$logs/$client-$broker.log
  run_client "$client" "$3" "$4" >"$log" 2>&1 </dev/null &
  running=$!
  wait "$running" || code=$?
  running=
  known=${unsupported[$client]-}
  [ "$broker" = embedded ] || known=
  while read -r result test; do
    if [ "$result" = passed ]; then
      passed=$((passed + 1))
    elif [ -n "$known" ] && [[ $test =~ $known ]]; then
      lacking+=("$test")
    else
      failed+=("$test")
    fi
  done < <(tests_of "$client" "$log" "$code")
  [ $((passed + ${#failed[@]})) -gt 0 ] || failed+=("nothing ran")
  found="$passed passed"
  [ ${#lacking[@]} = 0 ] || found+=", ${#lacking[@]} not supported"
  [ ${#failed[@]} = 0 ] || found+=", ${#failed[@]} FAILED"
  if [ ${#failed[@]} -gt 0 ]; then
    failures+=("$client with $broker: ${failed[*]}; log: $log")
  else
    rm "$log"
  fi
}

# compare_clients TRACELAB: runs all, and prints the table.
compare_clients() {
  local tracelab=$1 client embedded rabbitmq what version
  failures=()
  scripts/parts rabbitmq "${amqp_clients[@]}" || exit 3
  mkdir -p "$logs" "$work/tmp"
  start_rabbitmq
  version=$(on_rabbitmq rabbitmqctl -q version 2>/dev/null || true)
  printf '| %-10s | %-7s | %-14s | %-29s | %-29s |\n' client version tests "the embedded broker" "RabbitMQ $version"
  printf '| --- | --- | --- | --- | --- |\n'
  for client in "${amqp_clients[@]}"; do
    start_embedded "$tracelab"
    try_client "$client" embedded "127.0.0.1:$embedded_port" %2f
    embedded=$found
    stop_embedded
    # One virtual host for each; py-amqp's suite uses the default one.
    on_rabbitmq rabbitmqctl -q add_vhost "of-$client" >/dev/null
    on_rabbitmq rabbitmqctl -q set_permissions -p "of-$client" guest '.*' '.*' '.*' >/dev/null
    try_client "$client" rabbitmq "127.0.0.1:$rabbitmq_port" "of-$client"
    rabbitmq=$found
    case $client in amqp091-go | py-amqp) what="its own suite" ;; *) what="a script" ;; esac
    printf '| %-10s | %-7s | %-14s | %-29s | %-29s |\n' \
      "$client" "$(scripts/parts --list | awk -v name="$client" '$1 == name { print $2 }')" \
      "$what" "$embedded" "$rabbitmq"
  done
  stop_rabbitmq
  [ ${#failures[@]} = 0 ] || { printf '%s\n' "${failures[@]}"; exit 1; }
}

# === The two brokers ===

start_embedded() {
  embedded_port=$(free_port)
  # It ends with its standard input, in whatever way this script ends.
  exec {embedded_input}> >(exec "$1" broker --listen "127.0.0.1:$embedded_port" --exit-with-parent >/dev/null)
  answers "$embedded_port" "the embedded broker"
}

stop_embedded() { exec {embedded_input}>&-; }

start_rabbitmq() {
  local folder=$work/tmp/rabbitmq
  rabbitmq_port=$(free_port)
  mkdir -p "$folder"
  echo "listeners.tcp.1 = 127.0.0.1:$rabbitmq_port" >"$folder/rabbitmq.conf"
  echo '[].' >"$folder/plugins"
  rabbitmq_settings=(HOME="$folder" RABBITMQ_MNESIA_BASE="$folder/mnesia" RABBITMQ_LOG_BASE="$folder/log"
    RABBITMQ_CONFIG_FILE="$folder/rabbitmq.conf" RABBITMQ_ENABLED_PLUGINS_FILE="$folder/plugins"
    RABBITMQ_NODENAME="proof$rabbitmq_port@localhost" RABBITMQ_DIST_PORT="$(free_port)"
    ERL_EPMD_PORT="$(free_port)")
  exec {rabbitmq_input}> >(on_rabbitmq sh lab/broker/tests/rabbitmq/node.sh \
    "$(type -P rabbitmq-server)" "$folder" >"$work/rabbitmq.log" 2>&1)
  answers "$rabbitmq_port" RabbitMQ
}

on_rabbitmq() { env "${rabbitmq_settings[@]}" "$@"; }

stop_rabbitmq() { exec {rabbitmq_input}>&-; }

# Waits until something listens on a port.
answers() {
  local _
  for _ in {1..1800}; do
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return; fi
    sleep 0.1
  done
  say "$2 does not listen on port $1 after three minutes"
  exit 3
}
