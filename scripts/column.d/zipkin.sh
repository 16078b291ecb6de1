# shellcheck shell=bash
# Zipkin, with each of its stores, behind the Collector, because Zipkin takes no OTLP; to be sourced by scripts/column.

system zipkin "The Collector before Zipkin in memory" "collector zipkin" "$otlp BACKEND_READ"
system zipkin-opensearch "The Collector before Zipkin in OpenSearch" "collector zipkin opensearch" "$otlp BACKEND_READ"
system zipkin-cassandra "The Collector before Zipkin in Cassandra" "collector zipkin cassandra" "$otlp BACKEND_READ"

start_zipkin() {
  run_zipkin STORAGE_TYPE=mem
}

start_zipkin_opensearch() {
  run_opensearch
  run_zipkin STORAGE_TYPE=elasticsearch ES_HOSTS="http://$OPENSEARCH" ES_INDEX_SHARDS=1 ES_INDEX_REPLICAS=0
}

# Zipkin makes its tables without Cassandra's log (durable_writes = false): what Cassandra has not yet written out is lost
# when it is killed. It writes all out when it is stopped.
start_zipkin_cassandra() {
  run_cassandra
  run_zipkin STORAGE_TYPE=cassandra3 CASSANDRA_CONTACT_POINTS="$CASSANDRA" CASSANDRA_LOCAL_DC=datacenter1
}

# The Collector comes last: when it takes OTLP, Zipkin takes spans.
run_zipkin() {
  local listens='--armeria.ports[0]'
  run zipkin env "$@" zipkin "$listens.ip=${BACKEND_READ%:*}" "$listens.port=${BACKEND_READ##*:}" "$listens.protocols[0]=http"
  until_listens "$BACKEND_READ"
  run_collector "$BACKEND_OTLP_GRPC" "$BACKEND_OTLP_HTTP" zipkin ZIPKIN="$BACKEND_READ"
}
