#!/usr/bin/env bash
# Jaeger 2.13.0: a search by the query API v3 over HTTP does not look at `query.attributes`. It answers 200 with all traces
# of the service, as if the attribute had not been asked for. The same search by the older API (`tags`) finds the one.
#
# Seen: of two traces of a service, one with order.id=1, `query.attributes={"order.id":"1"}` finds two, and so does an
# attribute that no span has; `tags={"order.id":"1"}` of /api/traces finds one. Over gRPC the field is read
# (apiv3/grpc_handler.go), over HTTP it is not (apiv3/http_gateway.go).
# Consequence for a user: a script that looks for one order by API v3 gets the newest traces of the service instead.
#
# It builds Jaeger from its Go module (minutes, with an empty cache of Go).
set -euo pipefail

folder=$(mktemp -d)
jaeger=
trap '[ -z "$jaeger" ] || kill "$jaeger" 2>/dev/null || true; rm -rf "$folder"' EXIT
source=$(go mod download -json github.com/jaegertracing/jaeger@v1.76.0 | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
cp -r --no-preserve=mode "$source" "$folder/src"
(cd "$folder/src" && go build -o ../jaeger ./cmd/jaeger)
cd "$folder"
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
otlp=127.0.0.1:$(port) api=127.0.0.1:$(port)
cat >jaeger.yaml <<END_YAML
receivers: { otlp: { protocols: { http: { endpoint: "$otlp" } } } }
exporters: { jaeger_storage_exporter: { trace_storage: memory } }
extensions:
  jaeger_storage: { backends: { memory: { memory: { max_traces: 1000 } } } }
  jaeger_query: { storage: { traces: memory }, enable_tracing: false, http: { endpoint: "$api" }, grpc: { endpoint: "127.0.0.1:0" } }
service:
  extensions: [jaeger_storage, jaeger_query]
  telemetry: { metrics: { level: none } }
  pipelines: { traces: { receivers: [otlp], exporters: [jaeger_storage_exporter] } }
END_YAML
./jaeger --config jaeger.yaml >jaeger.log 2>&1 &
jaeger=$!
until curl --silent --fail --output /dev/null "http://$api/api/services"; do
  kill -0 "$jaeger" 2>/dev/null || { cat jaeger.log >&2; exit 3; }
  sleep 0.1
done

now=$(date +%s)
# send DIGIT: a trace whose id ends with the digit, with it as order.id.
send() {
  curl --silent --fail --output /dev/null "http://$otlp/v1/traces" -H 'Content-Type: application/json' -d '{"resourceSpans": [{
    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
    "scopeSpans": [{"spans": [{"traceId": "4bf92f3577b34da6a3ce929d0e0e473'"$1"'", "spanId": "00f067aa0ba902b'"$1"'", "name": "order",
      "kind": 2, "startTimeUnixNano": "'"$now"'000000000", "endTimeUnixNano": "'"$now"'100000000",
      "attributes": [{"key": "order.id", "value": {"stringValue": "'"$1"'"}}]}]}]}]}'
}
send 1
send 2

# The number of traces with the ids above in an answer.
count() { { grep -o '4bf92f3577b34da6a3ce929d0e0e473[12]' || true; } | sort -u | wc -l; }
v3() {
  curl --silent --get "http://$api/api/v3/traces" --data-urlencode "query.service_name=shop" --data-urlencode "query.num_traces=20" \
    --data-urlencode "query.start_time_min=$(date -u -d "@$((now - 60))" +%FT%TZ)" \
    --data-urlencode "query.start_time_max=$(date -u -d "@$((now + 60))" +%FT%TZ)" --data-urlencode "query.attributes=$1" | count
}
v1() { curl --silent --get "http://$api/api/traces" --data-urlencode "service=shop" --data-urlencode "tags=$1" | count; }

seen="v3: $(v3 '{"order.id":"1"}') for one order, $(v3 '{"order.id":"none"}') for none; v1: $(v1 '{"order.id":"1"}') and $(v1 '{"order.id":"none"}')"
echo "$seen"
[ "$seen" = "v3: 2 for one order, 2 for none; v1: 1 and 0" ] || { echo "it is no longer so" >&2; exit 1; }
