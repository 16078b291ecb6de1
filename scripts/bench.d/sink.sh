# shellcheck shell=bash disable=SC2154
# Functions that compare receivers of OTLP, and that put more on the lab's sink than it can take; to be sourced by
# scripts/bench. Everything is in $work, a folder that the script removes.

# The revision with which this tree is compared: the sink of November 2026, which decoded all that came.
revision=3093953

# A request: 43 orders of 12 spans, with some 400 bytes a span in protobuf.
spans_per_request=516
in_flight=8
trace_bytes=4800

# The requests of `sink-memory`, of 2.4 MB, and their senders.
declare -A large_spans=([grpc]=6036 [http]=6036 [json]=2688)
senders=192

receivers=(tracelab base collector jaeger count)
protocols=(grpc http json)

# known_protocols VERB: whether --over has names that are known; they are the protocols from then on.
known_protocols() {
  local one
  [ ${#over[@]} -gt 0 ] || wrong_input "--over needs some of ${protocols[*]}"
  [ "$1" != sink-memory ] || [ ${#over[@]} = 1 ] || wrong_input "--over is one of ${protocols[*]} for sink-memory"
  for one in "${over[@]}"; do
    [[ " ${protocols[*]} " = *" $one "* ]] || wrong_input "--over knows no $one; there are ${protocols[*]}"
  done
  protocols=("${over[@]}")
}

# === Which programs ===

# Builds what is measured. The programs are in $tracelab, $base and $examples.
build_for_sink() {
  local what=$1
  type -P taskset curl >/dev/null || { say "taskset (util-linux) and curl are needed"; exit 3; }
  two_cores
  say "building"
  if [ -z "$tracelab" ]; then
    cargo build --release --locked --quiet
    tracelab=$target/release/tracelab
  fi
  cargo build --release --locked --quiet -p firehose --examples
  examples=$target/release/examples
  [ "$what" = sink ] || return 0
  scripts/parts collector jaeger
  PATH=$(scripts/parts --path):$PATH
  [ -n "$base" ] || build_base
}

# Builds the older revision, once: its program stays in the target folder.
build_base() {
  local place=$target/bench/$revision
  base=$place/tracelab
  [ ! -x "$base" ] || return 0
  git cat-file -e "$revision^{commit}" 2>/dev/null ||
    { say "the revision $revision is not in this clone: git fetch --unshallow, or --base with a built one"; exit 3; }
  say "building revision $revision, once; usually 8 min"
  rm -rf "$place"
  mkdir -p "$place/tree"
  git archive "$revision" | tar --extract --directory "$place/tree"
  (cd "$place/tree" && CARGO_TARGET_DIR=$place/target cargo build --release --locked --quiet)
  mv "$place/target/release/tracelab" "$base"
  rm -rf "$place/tree" "$place/target"
}

# The first two cores that may be used: one for the generator, one for the receiver.
two_cores() {
  local range ranges cores=()
  IFS=, read -ra ranges < <(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)
  for range in "${ranges[@]}"; do
    mapfile -t -O "${#cores[@]}" cores < <(seq "${range%-*}" "${range#*-}")
  done
  [ ${#cores[@]} -ge 2 ] || { say "two cores are needed, one for the generator and one for the receiver"; exit 3; }
  generator_core=${cores[0]} receiver_core=${cores[1]}
}

# === The receivers ===

# start_receiver NAME: its process is $receiver, its addresses are $grpc, $http and, for the sinks, $page.
start_receiver() {
  local name=$1 program
  page=
  case $name in
    tracelab | base)
      if [ "$name" = base ]; then program=$base; else program=$tracelab; fi
      run_receiver "$program" sink --grpc 127.0.0.1:0 --http 127.0.0.1:0 --page 127.0.0.1:0 --memory "$memory"
      until_said '"page"'
      grpc=$(text_field otlp_grpc) http=$(text_field otlp_http) page=$(text_field page)
      grpc=${grpc#http://} http=${http#http://} page=${page#http://}
      ;;
    count)
      run_receiver "$examples/count"
      until_said '"listening"'
      grpc=$(text_field listening) http=$grpc
      ;;
    collector)
      grpc=127.0.0.1:$(free_port) http=127.0.0.1:$(free_port)
      collector_set_up >"$work/receiver.yaml"
      run_receiver otelcol --config "$work/receiver.yaml"
      until_open "$grpc" "$http"
      ;;
    jaeger)
      grpc=127.0.0.1:$(free_port) http=127.0.0.1:$(free_port)
      jaeger_set_up >"$work/receiver.yaml"
      run_receiver env OTEL_TRACES_SAMPLER=always_off jaeger --config "$work/receiver.yaml"
      until_open "$grpc" "$http"
      ;;
  esac
}

run_receiver() {
  : >"$work/said"
  taskset --cpu-list "$receiver_core" "$@" >"$work/said" 2>"$work/log" &
  receiver=$!
}

until_said() {
  until grep -q "$1" "$work/said"; do still_there; done
}

until_open() {
  local address
  for address; do
    until (exec 3<>"/dev/tcp/${address%:*}/${address#*:}") 2>/dev/null; do still_there; done
  done
}

still_there() {
  kill -0 "$receiver" 2>/dev/null || { cat "$work/log" >&2; say "the receiver ended at its start"; exit 3; }
  sleep 0.1
}

stop_receiver() {
  kill "$receiver"
  wait "$receiver" || true
  receiver=
}

# text_field NAME: a text of the document that the receiver has printed.
text_field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$work/said"; }

# Takes all, and keeps nothing.
collector_set_up() {
  cat <<END
receivers:
  otlp: {protocols: {grpc: {endpoint: "$grpc"}, http: {endpoint: "$http"}}}
exporters: {nop: {}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {traces: {receivers: [otlp], exporters: [nop]}}
END
}

# Keeps in memory as many traces as would be --memory in protobuf.
jaeger_set_up() {
  cat <<END
receivers:
  otlp: {protocols: {grpc: {endpoint: "$grpc"}, http: {endpoint: "$http"}}}
exporters:
  jaeger_storage_exporter: {trace_storage: memory}
extensions:
  jaeger_query:
    storage: {traces: memory}
    enable_tracing: false
    grpc: {endpoint: "127.0.0.1:$(free_port)"}
    http: {endpoint: "127.0.0.1:$(free_port)"}
  jaeger_storage: {backends: {memory: {memory: {max_traces: $((memory * 1048576 / trace_bytes))}}}}
service:
  extensions: [jaeger_storage, jaeger_query]
  telemetry: {metrics: {level: none}, logs: {level: warn}}
  pipelines: {traces: {receivers: [otlp], exporters: [jaeger_storage_exporter]}}
END
}

named() {
  case $1 in
    tracelab) echo "the sink of this tree" ;;
    base) echo "the sink of $revision" ;;
    collector) echo "Collector, otlp to nop" ;;
    jaeger) echo "Jaeger, in memory" ;;
    count) echo "only counts: the generator's limit" ;;
  esac
}

protocol_named() {
  case $1 in
    grpc) echo "OTLP/gRPC" ;;
    http) echo "OTLP/HTTP, protobuf" ;;
    json) echo "OTLP/HTTP, JSON" ;;
  esac
}

# === sink: what receivers take, and what it costs them ===

sink() {
  local round protocol name order
  printf '%-20s %-35s %12s %13s %9s\n' "" "" "spans/s" "us CPU/span" "peak MiB" >&5
  for round in $(seq "$rounds"); do
    for protocol in "${protocols[@]}"; do
      order=("${receivers[@]}")
      # Every other round goes the other way, because each run finds the machine in the state that the run before it
      # left.
      [ $((round % 2)) = 1 ] || mapfile -t order < <(printf '%s\n' "${receivers[@]}" | tac)
      for name in "${order[@]}"; do measure "$name" "$protocol"; done
    done
  done
  ratios
  if [ -n "$json" ]; then sink_document; else sink_table; fi
  [ ${#wrong[@]} -eq 0 ] || { printf 'scripts/bench: FAILED: %s\n' "${wrong[@]}" >&2; exit 1; }
}

# What does not add up, a line each.
wrong=()

# measure RECEIVER PROTOCOL: a new receiver, a second to warm up, then the load; a line of the result goes to
# $work/results.
measure() {
  local name=$1 protocol=$2 before after peak row
  start_receiver "$name"
  put_load "$protocol" 1 >"$work/warm-up"
  before=$(cpu_ticks)
  put_load "$protocol" "$seconds" >"$work/load"
  after=$(cpu_ticks)
  peak=$(memory_of VmHWM)
  check "$name" "$protocol"
  [ -z "$receiver" ] || stop_receiver
  [ "$after" -gt "$before" ] || wrong+=("$(named "$name"), $(protocol_named "$protocol"): its CPU time reads as 0")
  # spans/s, µs of CPU a span, spans a second of CPU, peak in bytes, ns of the generator's CPU a span, bytes a span
  row=$(awk -v ticks=$((after - before)) -v hertz="$(getconf CLK_TCK)" -v taken="$(in_load taken_spans)" \
    -v rate="$(in_load spans_per_s)" -v peak="$peak" -v sent="$(in_load sent_spans)" \
    -v own="$(in_load cpu_s)" -v bytes="$(in_load sent_bytes)" 'BEGIN {
      cpu = ticks / hertz; if (!taken) taken = 1; if (!sent) sent = 1; if (!cpu) cpu = 1 / hertz
      printf "%.0f %.3f %.0f %d %.0f %.0f", rate, cpu / taken * 1e6, taken / cpu, peak, own / sent * 1e9, bytes / sent }')
  echo "$row" >>"$work/results/$name-$protocol"
  line "$(protocol_named "$protocol")" "$name" "$row" >&5
}

# line TITLE RECEIVER ROW
line() {
  local rate cost peak _
  read -r rate cost _ peak _ <<<"$3"
  printf '%-20s %-35s %12s %13s %9s\n' "$1" "$(named "$2")" "$rate" "$cost" "$((peak / 1048576))"
}

# put_load PROTOCOL SECONDS: prints what was sent, and how it was answered.
put_load() {
  send "$1" "$2" "$spans_per_request" --in-flight "$in_flight" ||
    { [ $? = 1 ] || { tail "$work/log" >&2; exit 3; }; }
}

# What the generator is run with.
politely=()

# send PROTOCOL SECONDS SPANS OPTIONS...: spans is how many a request has.
send() {
  local to=grpc://$grpc encoding=protobuf
  [ "$1" = grpc ] || to=http://$http
  [ "$1" != json ] || encoding=json
  "${politely[@]}" "$examples/send" --to "$to" --seconds "$2" --encoding "$encoding" --spans-per-request "$3" \
    --cpu "$generator_core" --json "${@:4}"
}

# check RECEIVER PROTOCOL: whether what was sent, answered and received adds up.
check() {
  local name=$1 where
  where="$(named "$name"), $(protocol_named "$2")"
  grep --quiet '"add_up":true' "$work/warm-up" && grep --quiet '"add_up":true' "$work/load" ||
    wrong+=("$where: what was sent is not what was accepted, rejected, refused and failed")
  failures "$where"
  case $name in
    tracelab | base) accounts "$where" ;;
    count)
      stop_receiver
      local field
      for field in requests bytes; do
        same "$where: $field" "$(number_field $field <"$work/said")" "$(sum sent_$field)"
      done
      ;;
  esac
}

# failures WHERE: says how many requests failed, and why the first did.
failures() {
  local problem
  problem=$(sed -n 's/.*"problem":"\(.*\)".*/\1/p' "$work/load")
  [ -z "$problem" ] || say "$1: $(in_load failed_requests) requests failed; the first: $problem"
}

# accounts WHERE: whether the sink has received what it has accepted and rejected. A request that failed may have
# arrived or not.
accounts() {
  local stats received taken failed parts
  stats=$(curl --silent --show-error --fail --max-time 30 "http://$page/api/stats" | sed 's/.*"spans":{\([^}]*\)}.*/\1/')
  received=$(number_field received <<<"$stats")
  parts=$(($(number_field stored <<<"$stats") + $(number_field evicted <<<"$stats") + $(number_field refused <<<"$stats")))
  same "$1: stored + evicted + refused" "$parts" "$received"
  taken=$(($(sum taken_spans) + $(sum rejected_spans))) failed=$(sum failed_spans)
  if [ "$received" -lt "$taken" ] || [ "$received" -gt $((taken + failed)) ]; then
    wrong+=("$1: $received spans were received, and $taken were accepted or rejected ($failed failed)")
  fi
}

same() { [ "$2" = "$3" ] || wrong+=("$1: $2, and should be $3"); }

# number_field NAME: of a document in one line on standard input.
number_field() { sed -n "s/.*\"$1\":\([0-9.e+-]*\).*/\1/p" | tail -n 1; }

in_load() { number_field "$1" <"$work/load"; }

# sum NAME: of the warm-up and the load.
sum() { echo $(($(number_field "$1" <"$work/warm-up") + $(in_load "$1"))); }

# The CPU time of the receiver in clock ticks, user and system (proc_pid_stat(5)).
cpu_ticks() { sed 's/.*) //' "/proc/$receiver/stat" | awk '{ print $12 + $13 }'; }

# memory_of NAME: VmRSS or VmHWM of the receiver, in bytes.
memory_of() { awk -v name="$1:" '$1 == name { print $2 * 1024 }' "/proc/$receiver/status"; }

# The spans a second of CPU, of each round, as a ratio to those of the others in this round.
ratios() {
  local protocol name of
  for protocol in "${protocols[@]}"; do
    for name in "${receivers[@]}"; do
      for of in base collector; do
        paste -d' ' "$work/results/$name-$protocol" "$work/results/$of-$protocol" |
          awk '{ printf "%.2f\n", $3 / $9 }' >"$work/results/$name-$protocol-to-$of"
      done
    done
  done
}

sink_table() {
  local protocol name
  for protocol in "${protocols[@]}"; do
    echo
    printf '%-35s %12s %13s %10s %12s %9s\n' "$(protocol_named "$protocol"), medians" "spans/s" "us CPU/span" \
      "x $revision" "x Collector" "peak MiB"
    for name in "${receivers[@]}"; do
      printf '%-35s %12s %13s %10s %12s %9.0f\n' "$(named "$name")" "$(median "$name-$protocol" 1)" \
        "$(median "$name-$protocol" 2)" "$(median "$name-$protocol-to-base" 1)" \
        "$(median "$name-$protocol-to-collector" 1)" "$(median "$name-$protocol" 4 | awk '{ print $1 / 1048576 }')"
    done
    printf 'the generator: %s ns of CPU a span, %s bytes a span\n' "$(median "count-$protocol" 5)" "$(median "count-$protocol" 6)"
  done
  echo
  echo "x: spans a second of CPU, as a ratio within each round"
}

sink_document() {
  local protocol name comma='' ok=true
  [ ${#wrong[@]} -eq 0 ] || ok=false
  printf '{"kind":"sink","cores":%d,"rounds":%d,"seconds":%d,"memory_mib":%d,"spans_per_request":%d,"revision":"%s","accounts_add_up":%s,"rows":[' \
    "$(nproc)" "$rounds" "$seconds" "$memory" "$spans_per_request" "$revision" "$ok"
  for protocol in "${protocols[@]}"; do
    for name in "${receivers[@]}"; do
      printf '%s{"protocol":"%s","receiver":"%s","spans_per_s":%s,"cpu_us_per_span":%s,"spans_per_cpu_s":%s,"to_revision":%s,"to_collector":%s,"peak_bytes":%s,"generator_cpu_ns_per_span":%s,"bytes_per_span":%s}' \
        "$comma" "$protocol" "$name" "$(median "$name-$protocol" 1)" "$(median "$name-$protocol" 2)" \
        "$(median "$name-$protocol" 3)" "$(median "$name-$protocol-to-base" 1)" \
        "$(median "$name-$protocol-to-collector" 1)" "$(median "$name-$protocol" 4)" \
        "$(median "$name-$protocol" 5)" "$(median "$name-$protocol" 6)"
      comma=,
    done
  done
  echo ']}'
}

# === sink-memory: more than a small sink can take ===

sink_memory() {
  local protocol=${over[0]-grpc} load_code=0 watch_code=0 idle after most refused share bound
  local spans=${large_spans[$protocol]}
  start_receiver tracelab
  idle=$(memory_of VmRSS)
  say "sending for $seconds s, then 10 s without a load"
  "$examples/watch" --page "$page" --pid "$receiver" --seconds "$seconds" --cpu "$generator_core" >"$work/watch" &
  watch=$!
  # The generator is never done; who watches must not wait for it.
  politely=(nice -n 10)
  send "$protocol" "$seconds" "$spans" --connections "$senders" --in-flight 1 >"$work/load" || load_code=$?
  wait "$watch" || watch_code=$?
  watch=
  if [ ! -s "$work/load" ] || [ ! -s "$work/watch" ]; then
    tail "$work/log" >&2
    say "the sink has ended, or does not answer"
    exit 3
  fi
  echo '{"taken_spans":0,"rejected_spans":0,"failed_spans":0}' >"$work/warm-up"
  failures "$(protocol_named "$protocol")"
  [ "$load_code" = 0 ] || wrong+=("what was sent is not what was accepted, rejected, refused and failed")
  [ "$watch_code" = 0 ] ||
    wrong+=("$(number_field wrong <"$work/watch") answers of /api/stats: $(sed 's/.*"first_wrong":"\(.*\)","received".*/\1/' "$work/watch")")
  accounts "the sink at the end"
  curl --silent --show-error --fail --max-time 30 --request DELETE --output /dev/null "http://$page/api/traces"
  sleep 10
  after=$(memory_of VmRSS)
  accounts "the sink after DELETE /api/traces"
  stop_receiver

  most=$(seen resident_max) refused=$(in_load refused_requests) bound=$((memory * 1048576 * 5 / 4 + (20 << 20)))
  share=$(awk -v part="$refused" -v all="$(in_load sent_requests)" 'BEGIN { printf "%.1f", all ? 100 * part / all : 0 }')
  [ "$refused" -gt 0 ] || wrong+=("nothing was refused: this load is not too much for the sink")
  [ "$most" -le "$bound" ] || wrong+=("the resident memory came to $(mib "$most") MiB, above 1.25 x --memory + 20 MiB")
  [ "$after" -le $((60 << 20)) ] || wrong+=("10 s after DELETE /api/traces the resident memory is $(mib "$after") MiB, above 60")
  if [ -n "$json" ]; then
    printf '{"kind":"sink-memory","protocol":"%s","seconds":%d,"memory_mib":%d,"connections":%d,"sent_requests":%d,"refused_requests":%d,"failed_requests":%d,"taken_spans":%d,"polls":%d,"stats_p50_ms":%s,"stats_p99_ms":%s,"stats_max_ms":%s,"resident_idle":%d,"resident_max":%d,"resident_after":%d,"ok":%s}\n' \
      "$protocol" "$seconds" "$memory" "$senders" "$(in_load sent_requests)" "$refused" "$(in_load failed_requests)" \
      "$(in_load taken_spans)" "$(seen polls)" "$(seen p50_ms)" "$(seen p99_ms)" "$(seen max_ms)" "$idle" "$most" \
      "$after" "$([ ${#wrong[@]} -eq 0 ] && echo true || echo false)"
  else
    printf '%-42s %12s   %s\n' "$(protocol_named "$protocol"), $senders senders" "" "must be" \
      "requests sent" "$(in_load sent_requests)" "" \
      "of them refused (%)" "$share" "not 0" \
      "of them failed" "$(in_load failed_requests)" "" \
      "spans taken a second" "$(in_load spans_per_s | sed 's/\..*//')" "" \
      "GET /api/stats, questions" "$(seen polls)" "" \
      "GET /api/stats, p50 (ms)" "$(seen p50_ms | cut -c 1-6)" "" \
      "GET /api/stats, p99 (ms)" "$(seen p99_ms | cut -c 1-6)" "<= 50 on a machine that does nothing else" \
      "resident memory, idle (MiB)" "$(mib "$idle")" "" \
      "resident memory, highest (MiB)" "$(mib "$most")" "<= $(mib "$bound")" \
      "10 s after DELETE /api/traces (MiB)" "$(mib "$after")" "<= 60"
  fi
  [ ${#wrong[@]} -eq 0 ] || { printf 'scripts/bench: FAILED: %s\n' "${wrong[@]}" >&2; exit 1; }
}

seen() { number_field "$1" <"$work/watch"; }

mib() { awk -v bytes="$1" 'BEGIN { printf "%.0f", bytes / 1048576 }'; }
