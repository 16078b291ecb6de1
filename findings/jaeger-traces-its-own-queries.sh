#!/usr/bin/env bash
# Jaeger 2.13.0: the query service traces the requests that it answers, and exports these traces to localhost:4317,
# whatever listens there, unless `enable_tracing: false` stands in its configuration. The file in use names no exporter
# and no such address for it.
#
# `enable_tracing` is true by default. The exporter is that of the OpenTelemetry SDK with its default address, and
# the receiver's own address in the configuration does not count.
#
# Seen: a Jaeger whose receiver has that address, and that was sent nothing, has traces of a service "jaeger" after
# some queries; with `enable_tracing: false` it has none.
# Consequence for a user: a Jaeger whose receiver has another port sends its own traces to whatever receives OTLP at 4317
# of the same machine. Set `enable_tracing: false` in `jaeger_query`.
#
# It builds Jaeger from its Go module (minutes, with an empty cache of Go), and runs it in a network of its own, since
# the address is a fixed one. That takes Linux, `unshare` and `ip`.
set -euo pipefail

if [ "${1:-}" != inside ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  source=$(go mod download -json github.com/jaegertracing/jaeger@v1.76.0 | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
  cp -r --no-preserve=mode "$source" "$folder/src"
  (cd "$folder/src" && go build -o ../jaeger ./cmd/jaeger)
  unshare --map-root-user --net "$0" inside "$folder"
  exit
fi

cd "$2"
ip link set lo up
jaeger=
trap '[ -z "$jaeger" ] || kill "$jaeger" 2>/dev/null || true' EXIT

# Starts Jaeger with this addition to the settings of its query service, and asks for its services until it is one
# of them, or ten seconds are over. Adds to `seen` whether it was.
query() {
  cat >jaeger.yaml <<END
receivers: { otlp: { protocols: { grpc: { endpoint: "127.0.0.1:4317" } } } }
exporters: { jaeger_storage_exporter: { trace_storage: memory } }
extensions:
  jaeger_storage: { backends: { memory: { memory: { max_traces: 1000 } } } }
  jaeger_query: { storage: { traces: memory }, http: { endpoint: "127.0.0.1:16686" }, grpc: { endpoint: "127.0.0.1:0" }$1 }
service:
  extensions: [jaeger_storage, jaeger_query]
  telemetry: { metrics: { level: none } }
  pipelines: { traces: { receivers: [otlp], exporters: [jaeger_storage_exporter] } }
END
  # A batch of spans is exported at once.
  env --unset OTEL_EXPORTER_OTLP_ENDPOINT --unset OTEL_EXPORTER_OTLP_TRACES_ENDPOINT OTEL_BSP_SCHEDULE_DELAY=100 \
    ./jaeger --config jaeger.yaml >jaeger.log 2>&1 &
  jaeger=$!
  local said=''
  until curl --silent --fail --output /dev/null http://127.0.0.1:16686/api/services; do
    kill -0 "$jaeger" 2>/dev/null || { cat jaeger.log >&2; exit 3; }
    sleep 0.1
  done
  for _ in {1..100}; do
    said=$(curl --silent http://127.0.0.1:16686/api/services)
    [[ $said != *'"jaeger"'* ]] || break
    sleep 0.1
  done
  kill "$jaeger"
  wait "$jaeger" || true
  jaeger=
  if [[ $said == *'"jaeger"'* ]]; then seen+="traces of jaeger; "; else seen+="no trace; "; fi
}

seen=
query ''
query ', enable_tracing: false'
if [ "$seen" = "traces of jaeger; no trace; " ]; then
  echo "Jaeger 2.13.0 sends traces of its own queries to localhost:4317, unless enable_tracing is false"
else
  echo "it is no longer so: by default and with enable_tracing: false: $seen" >&2
  exit 1
fi
