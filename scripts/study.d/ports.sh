# shellcheck shell=bash
# Ports of this machine; to be sourced.

# A port that nobody listens at, below those that the system gives away by itself.
free_port() {
  local port
  for port in $(shuf -i 20000-32000 -n 50); do
    if ! (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port"
      return
    fi
  done
}

# Waits until a port is listened at.
listens() {
  local tries=0
  until (: >"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || { echo "nothing listens at port $1" >&2; exit 3; }
    sleep 0.1
  done
}
