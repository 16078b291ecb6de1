# shellcheck shell=bash
# Stores that several back ends have; to be sourced by scripts/column. Each is kept in $BACKEND_DIR.

run_opensearch() {
  OPENSEARCH=$(inner opensearch)
  export OPENSEARCH
  run opensearch opensearch-server "$BACKEND_DIR/opensearch" "${OPENSEARCH##*:}" "$(inner opensearch-transport | cut -d : -f 2)"
  until_listens "$OPENSEARCH"
}

run_cassandra() {
  CASSANDRA=$(inner cassandra)
  CASSANDRA_PORT=${CASSANDRA##*:}
  export CASSANDRA CASSANDRA_PORT
  run cassandra cassandra-server "$BACKEND_DIR/cassandra" "$CASSANDRA_PORT" \
    "$(inner cassandra-storage | cut -d : -f 2)" "$(inner cassandra-jmx | cut -d : -f 2)"
  until_listens "$CASSANDRA"
}
