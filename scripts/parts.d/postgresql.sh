# Functions for a script that needs its own PostgreSQL server; to be sourced. The server lives in $work, a
# folder that the script removes; the script that starts the server must stop it. PostgreSQL's programs must
# be on the path.

free_port() {
  local port
  while :; do
    port=$((12000 + RANDOM % 18000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

# Starts the server with its default settings and the given options. Its port is in $postgresql_port.
start_postgresql() {
  postgresql_port=$(free_port)
  mkdir "$work/postgresql"
  chmod 755 "$work"
  [ "$(id -u)" != 0 ] || chown nobody "$work/postgresql"
  postgresql initdb --auth trust --username shop >/dev/null
  postgresql pg_ctl start --wait --log "$work/postgresql/log" \
    --options "-p $postgresql_port -k $work/postgresql -c listen_addresses=127.0.0.1 $*" >/dev/null
}

# Stops the server, if it was started.
stop_postgresql() {
  [ ! -e "$work/postgresql/data" ] || postgresql pg_ctl stop --mode immediate >/dev/null || true
}

# Runs a program of PostgreSQL as the owner of the data: PostgreSQL refuses root.
postgresql() {
  local program=$1
  shift
  set -- "$(readlink -f "$(type -P "$program")")" "$@" --pgdata "$work/postgresql/data"
  if [ "$(id -u)" = 0 ]; then
    (cd / && setpriv --reuid nobody --regid nogroup --clear-groups "$@")
  else
    "$@"
  fi
}
