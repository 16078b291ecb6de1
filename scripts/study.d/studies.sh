# shellcheck shell=bash disable=SC2154
# The studies; to be sourced by scripts/study. Each prints what the chapter has of it.

# The Collector with each file of collector-config/. Those for other back ends send there too: to a Collector beside it
# that keeps nothing.
study_set_ups() {
  local study=$1 file name names=()
  start_back_ends
  for file in collector-config/*.yaml; do
    name=$(basename "$file" .yaml)
    case $name in
      tail-sampling | combined)
        bench "$study" "$name" sampling --sut "otelcol --config $file" --rate 10k/s --duration "${seconds}s" --content kept ;;
      # Some of them change spans: redact.yaml is there for that.
      *)
        bench "$study" "$name" rate --sut "otelcol --config $file" --rate 20k/s --duration "${seconds}s" --content any ;;
    esac
    names+=("$name")
  done
  kill "$beside"
  beside=''
  machine "$study"
  table "$study" "${names[@]}"
}

# Receives what the set-ups send to other back ends.
start_back_ends() {
  local otlp http zipkin
  otlp=$(free_port) http=$(free_port) zipkin=$(free_port)
  export STUDY_OTLP=127.0.0.1:$otlp STUDY_HTTP=127.0.0.1:$http STUDY_ZIPKIN=127.0.0.1:$zipkin
  export JAEGER_OTLP_GRPC=$STUDY_OTLP TEMPO_OTLP_GRPC=$STUDY_OTLP DATADOG_OTLP_GRPC=$STUDY_OTLP
  export LIGHTSTEP_ENDPOINT=$STUDY_OTLP LIGHTSTEP_INSECURE=true LIGHTSTEP_ACCESS_TOKEN=none
  export HONEYCOMB_ENDPOINT=http://$STUDY_HTTP HONEYCOMB_API_KEY=none XRAY_ENDPOINT=http://$STUDY_HTTP
  export ZIPKIN_ENDPOINT=http://$STUDY_ZIPKIN/api/v2/spans
  otelcol --config scripts/study.d/back-ends.yaml >"$work/back-ends.log" 2>&1 &
  beside=$!
  listens "$otlp"
}

study_batching() {
  local study=$1 rate
  for rate in 20k/s max; do
    bench "$study" "processor-${rate%%/*}" rate --sut 'otelcol --config scripts/study.d/batch-processor.yaml' --rate "$rate" --duration "${seconds}s"
    bench "$study" "exporter-${rate%%/*}" rate --sut 'otelcol --config scripts/study.d/batch-exporter.yaml' --rate "$rate" --duration "${seconds}s"
  done
  bench "$study" ab ab --sut 'otelcol --config scripts/study.d/batch-processor.yaml' \
    --with 'otelcol --config scripts/study.d/batch-exporter.yaml' --rate 20k/s --duration "$((seconds * 3))s"
  machine "$study"
  table "$study" processor-20k exporter-20k processor-max exporter-max
  printf '\nBy turns, A the processor and B the exporter:\n\n'
  verdicts "$study" ab
}

study_compression() {
  local study=$1 name
  for name in none gzip zstd; do
    STUDY_COMPRESSION=$name bench "$study" "$name" rate --sut 'otelcol --config scripts/study.d/compression.yaml' \
      --rate 20k/s --duration "${seconds}s" --compression "$name"
  done
  machine "$study"
  table "$study" none gzip zstd
}

study_memory_limiter() {
  local study=$1 name
  for name in with without; do
    bench "$study" "$name" rate --sut "otelcol --config scripts/study.d/overload-$name.yaml" --rate max --duration "${seconds}s"
  done
  machine "$study"
  table "$study" with without
}

study_persistent_queue() {
  local study=$1 name
  for name in memory file; do
    bench "$study" "$name" chaos --sut "otelcol --config scripts/study.d/queue-$name.yaml" --rate 10k/s --duration "${seconds}s" --harm kill-sut
  done
  machine "$study"
  table "$study" memory file
}

study_decision_wait() {
  local study=$1 wait names=()
  for wait in 1s 5s 10s; do
    TAIL_SAMPLING_WAIT=$wait bench "$study" "$wait" sampling --sut 'otelcol --config collector-config/tail-sampling.yaml' \
      --rate 10k/s --duration "$((seconds + 10))s"
    names+=("$wait")
  done
  machine "$study"
  table "$study" "${names[@]}"
}

study_receivers() {
  local study=$1
  bench "$study" tracelab-sink rate --sut "$tracelab sink --grpc {in} --http {in_http} --page 127.0.0.1:0" --return none --rate max --duration "${seconds}s"
  bench "$study" collector rate --sut 'otelcol --config scripts/study.d/nop.yaml' --return none --rate max --duration "${seconds}s"
  bench "$study" jaeger rate --sut 'env OTEL_TRACES_SAMPLER=always_off jaeger --config scripts/study.d/jaeger.yaml' --return none --rate max --duration "${seconds}s"
  bench "$study" rotel rate --sut "$rotel --exporter blackhole" --return none --rate max --duration "${seconds}s"
  machine "$study"
  table "$study" tracelab-sink collector jaeger rotel
}

rotel='rotel-agent start --otlp-grpc-endpoint {in} --otlp-http-endpoint {in_http}'

study_rotel() {
  local study=$1 to="$rotel --exporter otlp --otlp-exporter-protocol grpc --otlp-exporter-endpoint http://{out}"
  bench "$study" collector rate --sut 'otelcol --config scripts/study.d/batch-exporter.yaml' --rate 20k/s --duration "${seconds}s"
  bench "$study" rotel rate --sut "$to" --rate 20k/s --duration "${seconds}s" --content kept
  bench "$study" ab ab --sut 'otelcol --config scripts/study.d/batch-exporter.yaml' --with "$to" --rate 20k/s --duration "$((seconds * 3))s" --content kept
  machine "$study"
  table "$study" collector rotel
  printf '\nBy turns, A the Collector and B Rotel:\n\n'
  verdicts "$study" ab
}

study_kafka() {
  local study=$1
  bench "$study" direct rate --sut 'otelcol --config scripts/study.d/batch-exporter.yaml' --rate 5k/s --duration "${seconds}s"
  bench "$study" kafka rate --sut "$root/scripts/study.d/through-kafka {in} {out} {dir}" --rate 5k/s --duration "${seconds}s"
  machine "$study"
  table "$study" direct kafka
}

# Delivered spans for each second of the generator's CPU, to the lab's sink on the other core. telemetrygen drops spans of
# its own above some rate: what counts is the most that it delivers of what it says it has made. A worker makes some 1,900 a second.
study_generators() {
  local study=$1 workers spans grpc_port
  grpc_port=$(free_port)
  machine "$study"
  printf 'Spans of 400 bytes over OTLP/gRPC. telemetrygen sends 100 in a request, and the firehose 512, if nothing is said.\n\n'
  printf '| generator | spans made | spans delivered | seconds of its CPU | delivered spans a second of CPU |\n'
  printf '| --- | ---: | ---: | ---: | ---: |\n'
  for workers in 1 10 50 100 200; do
    generated telemetrygen "telemetrygen, workers: $workers" taskset -c 0 telemetrygen traces --otlp-endpoint "127.0.0.1:$grpc_port" \
      --otlp-insecure --rate 10000 --workers "$workers" --duration "${seconds}s" --telemetry-attributes "text=\"$(printf 'x%.0s' $(seq 230))\""
  done
  for spans in 100 512; do
    generated firehose "tracelab blast, $spans spans a request" "$tracelab" blast --to "grpc://127.0.0.1:$grpc_port" --cpu 0 \
      --spans-per-request "$spans" --duration "${seconds}s"
  done
}

# generated WHICH NAME COMMAND...: one row. The command is run with a sink that has just been started.
generated() {
  local which=$1 name=$2 page TIMEFORMAT='%U %S' made delivered cpu
  shift 2
  page=$(free_port)
  taskset -c 1 "$tracelab" sink --grpc "127.0.0.1:$grpc_port" --http 127.0.0.1:0 --page "127.0.0.1:$page" >"$work/sink" 2>&1 &
  beside=$!
  listens "$grpc_port"
  { time "$@" >"$work/generator" 2>&1; } 2>"$work/time" || { cat "$work/generator" >&2; exit 3; }
  cpu=$(awk '{ print $1 + $2 }' "$work/time")
  delivered=$(curl -fs "http://127.0.0.1:$page/api/stats" | sed 's/.*"spans":{"received":\([0-9]*\).*/\1/')
  case $which in
    telemetrygen) made=$(sed -n 's/.*"traces": \([0-9]*\)}.*/\1/p' "$work/generator" | awk '{ sum += 2 * $1 } END { print sum }') ;;
    firehose) made=$(sed -n 's/^\([0-9]*\) spans in .*/\1/p' "$work/generator") ;;
  esac
  kill -INT "$beside"
  wait "$beside" || true
  beside=''
  awk -v name="$name" -v made="$made" -v delivered="$delivered" -v cpu="$cpu" \
    'BEGIN { printf "| %s | %d | %d | %.2f | %d |\n", name, made, delivered, cpu, delivered / cpu }'
}

# What a comparison by turns found.
verdicts() {
  printf '```text\n'
  "$tracelab" bench report "$out/$1/$2.json" | sed -n '/ B \/ A /,$p'
  printf '```\n'
}
