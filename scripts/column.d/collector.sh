# shellcheck shell=bash
# The Collector, which keeps traces in a file or sends them on, and Rotel; to be sourced by scripts/column.

system collector-file "The Collector, into BACKEND_DIR/traces.json: OTLP/JSON, a line a request" "collector" "$otlp"
system collector-file-proto "The Collector, into BACKEND_DIR/traces.binpb: OTLP as protobuf, 4 bytes with its length before each request" "collector" \
  "$otlp"
system rotel "Rotel, before what ROTEL_TO names" "rotel" "$otlp ROTEL_TO"

system rotel-sink "Rotel, before the sink of the program that TRACELAB names" "rotel" "$otlp BACKEND_READ"

start_collector_file() {
  run_collector "$BACKEND_OTLP_GRPC" "$BACKEND_OTLP_HTTP" file FILE="$BACKEND_DIR/traces.json" FORMAT=json
}

start_collector_file_proto() {
  run_collector "$BACKEND_OTLP_GRPC" "$BACKEND_OTLP_HTTP" file FILE="$BACKEND_DIR/traces.binpb" FORMAT=proto
}

start_rotel() {
  run rotel rotel-agent start --otlp-grpc-endpoint "$BACKEND_OTLP_GRPC" --otlp-http-endpoint "$BACKEND_OTLP_HTTP" \
    --exporter otlp --otlp-exporter-protocol grpc --otlp-exporter-endpoint "http://$ROTEL_TO"
}

start_rotel_sink() {
  local to http
  to=$(inner sink-grpc) http=$(inner sink-http)
  run sink "${TRACELAB:-tracelab}" sink --grpc "$to" --http "$http" --page "$BACKEND_READ"
  until_listens "$to"
  ROTEL_TO=$to start_rotel
}

# run_collector GRPC HTTP TO VARIABLE=VALUE...: the Collector with the exporter of the file collector-to-TO.yaml.
run_collector() {
  local grpc=$1 http=$2 to=$3 settings=scripts/column.d/collector
  shift 3
  run collector env BACKEND_OTLP_GRPC="$grpc" BACKEND_OTLP_HTTP="$http" "$@" \
    otelcol --config "$settings.yaml" --config "$settings-to-$to.yaml"
}
