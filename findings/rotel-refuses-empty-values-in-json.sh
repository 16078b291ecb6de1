#!/usr/bin/env bash
# Rotel 0.0.1a15 (the collector in Rust; its program says 0.0.1-alpha10): OTLP/HTTP with JSON is answered with 400 and an
# empty body where a value is empty (`"value": {}`, an AnyValue without content) or a double is written as "NaN",
# as the JSON mapping of protobuf has it. The same request with a text as the value is answered with 200.
#
# Consequence for a user: one attribute whose value is null in an SDK, or one measurement that is NaN, and the whole
# request is refused; 400 is not to be sent again, so all its spans are lost. Protobuf is not concerned.
#
# It installs Rotel from PyPI.
set -euo pipefail

folder=$(mktemp -d)
rotel=
trap '[ -z "$rotel" ] || kill "$rotel" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet rotel==0.0.1a15
agent=$(find venv -name rotel-agent -type f -size +1M)
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
http=$(port)
"$agent" start --otlp-grpc-endpoint "127.0.0.1:$(port)" --otlp-http-endpoint "127.0.0.1:$http" --exporter blackhole \
  >rotel.log 2>&1 &
rotel=$!
for _ in $(seq 100); do
  (: >"/dev/tcp/127.0.0.1/$http") 2>/dev/null && break
  sleep 0.1
done

# The status of the answer to a span with this value.
status() {
  curl -s -o answer -w '%{http_code}' "http://127.0.0.1:$http/v1/traces" -H 'Content-Type: application/json' -d '{"resourceSpans": [{
    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
    "scopeSpans": [{"scope": {"name": "a"}, "spans": [{"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7",
      "name": "get", "kind": 2, "startTimeUnixNano": "1790000000000000000", "endTimeUnixNano": "1790000000100000000",
      "attributes": [{"key": "value", "value": '"$1"'}]}]}]}]}'
}

failed=0
expect() {
  local got
  got=$(status "$1")
  printf '%-28s %s, %s bytes\n' "$1" "$got" "$(stat -c %s answer)"
  [ "$got" = "$2" ] || { echo "  $2 was seen before" >&2; failed=1; }
}
expect '{"stringValue": "text"}' 200
expect '{"doubleValue": 1.5}' 200
expect '{}' 400
expect '{"doubleValue": "NaN"}' 400
exit "$failed"
