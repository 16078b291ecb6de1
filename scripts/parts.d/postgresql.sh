# A PostgreSQL server of a script's own, to be sourced. It lives in $work, a folder that the script
# removes; whoever starts it stops it. Its programs must be on the path.

free_port() {
  local port
  while :; do
    port=$((12000 + RANDOM % 18000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

# Starts it, with its settings as they come and what is given. It is at $postgresql_port.
start_postgresql() {
  postgresql_port=$(free_port)
  mkdir "$work/postgresql"
  chmod 755 "$work"
  [ "$(id -u)" != 0 ] || chown nobody "$work/postgresql"
  postgresql initdb --auth trust --username shop >/dev/null
  postgresql pg_ctl start --wait --log "$work/postgresql/log" \
    --options "-p $postgresql_port -k $work/postgresql -c listen_addresses=127.0.0.1 $*" >/dev/null
}

# Stops it, if it was started.
stop_postgresql() {
  [ ! -e "$work/postgresql/data" ] || postgresql pg_ctl stop --mode immediate >/dev/null || true
}

# A program of PostgreSQL on our data; root it refuses.
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
