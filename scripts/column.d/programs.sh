# shellcheck shell=bash
# Back ends of one program; to be sourced by scripts/column.

system mlflow "MLflow, in SQLite; OTLP/HTTP with the header x-mlflow-experiment-id: 0" "mlflow" "BACKEND_OTLP_HTTP BACKEND_READ"
system phoenix "Arize Phoenix, in SQLite; its gRPC listens at all addresses of the machine" "phoenix" "$otlp BACKEND_READ"
system otelite "Otelite, in SQLite" "otelite" "$otlp BACKEND_READ"

# It takes OTLP where it is read, over HTTP only. Without the processes that would run its jobs, which are seven.
start_mlflow() {
  also_at "$BACKEND_OTLP_HTTP" "$BACKEND_READ"
  run mlflow env MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false \
    mlflow server --host "${BACKEND_READ%:*}" --port "${BACKEND_READ##*:}" --workers 1 \
    --backend-store-uri "sqlite:///$BACKEND_DIR/mlflow.db" --artifacts-destination "$BACKEND_DIR/artifacts"
}

# It takes OTLP/HTTP where it is read.
start_phoenix() {
  also_at "$BACKEND_OTLP_HTTP" "$BACKEND_READ"
  run phoenix env PHOENIX_HOST="${BACKEND_READ%:*}" PHOENIX_PORT="${BACKEND_READ##*:}" PHOENIX_GRPC_PORT="${BACKEND_OTLP_GRPC##*:}" \
    PHOENIX_WORKING_DIR="$BACKEND_DIR/phoenix" PHOENIX_TELEMETRY_ENABLED=false PHOENIX_ALLOW_EXTERNAL_RESOURCES=false phoenix serve
}

start_otelite() {
  run otelite env OTELITE_OTLP_GRPC_PORT="${BACKEND_OTLP_GRPC##*:}" OTELITE_OTLP_HTTP_PORT="${BACKEND_OTLP_HTTP##*:}" \
    otelite serve --addr "$BACKEND_READ" --storage-path "$BACKEND_DIR/otelite"
}
