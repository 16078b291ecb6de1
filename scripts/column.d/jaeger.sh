# shellcheck shell=bash
# Jaeger, with each of its stores; to be sourced by scripts/column.

system jaeger "Jaeger, in memory" "jaeger" "$otlp BACKEND_READ"
system jaeger-badger "Jaeger, in its Badger files" "jaeger" "$otlp BACKEND_READ"
system jaeger-opensearch "Jaeger, in OpenSearch" "jaeger opensearch" "$otlp BACKEND_READ"
system jaeger-cassandra "Jaeger, in Cassandra" "jaeger cassandra" "$otlp BACKEND_READ"
system jaeger-kafka "Jaeger, through Kafka into memory" "jaeger kafka" "$otlp BACKEND_READ"
system otelcol-jaeger "The Collector before Jaeger in memory" "collector jaeger" "$otlp BACKEND_READ"

start_jaeger() {
  run_jaeger memory
}

start_jaeger_badger() {
  run_jaeger badger
}

start_jaeger_opensearch() {
  run_opensearch
  run_jaeger opensearch
}

start_jaeger_cassandra() {
  run_cassandra
  run_jaeger cassandra
}

# Two processes: one from OTLP into a topic, and one from there into memory. What it has once read of the topic, it does
# not read again after a restart.
start_jaeger_kafka() {
  KAFKA=$(inner kafka)
  export KAFKA
  run kafka kafka-server "$BACKEND_DIR/kafka" "${KAFKA##*:}" "$(inner kafka-controller | cut -d : -f 2)"
  until_listens "$KAFKA"
  run_jaeger memory kafka
  run jaeger-to-kafka jaeger --config scripts/column.d/jaeger-to-kafka.yaml
}

start_otelcol_jaeger() {
  local grpc=$BACKEND_OTLP_GRPC http=$BACKEND_OTLP_HTTP
  BACKEND_OTLP_GRPC=$(inner jaeger-grpc) BACKEND_OTLP_HTTP=$(inner jaeger-http)
  run_jaeger memory
  until_listens "$BACKEND_OTLP_GRPC"
  run_collector "$grpc" "$http" jaeger JAEGER="$BACKEND_OTLP_GRPC"
}

# run_jaeger STORE [RECEIVER]: Jaeger with the files of its settings, of which the later change the earlier ones.
run_jaeger() {
  local settings=scripts/column.d/jaeger
  JAEGER_GRPC=$(inner jaeger-api-grpc)
  export JAEGER_GRPC BACKEND_DIR BACKEND_READ BACKEND_OTLP_GRPC BACKEND_OTLP_HTTP
  run jaeger jaeger --config "$settings.yaml" --config "$settings-$1.yaml" --config "$settings-from-${2-otlp}.yaml"
}
