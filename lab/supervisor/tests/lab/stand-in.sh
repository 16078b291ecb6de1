#!/bin/sh
# Stands in for the program `tracelab`: says where it listens, and stops when its standard input
# ends. It listens nowhere. What it is to do otherwise, and what it did, is in files of the folder
# STAND_IN.
name=$1
[ "$name" = service ] && name=$2
for argument in "$@"; do
    [ "$previous" = --listen ] && listen=$argument
    previous=$argument
done
cd "$STAND_IN" || exit 9
echo "$*" >>"$name.calls"
env >"$name.env"
if [ -f "$name.refuses" ]; then
    cat "$name.refuses" >&2
    exit 7
fi
case $listen in
*:0) listen=127.0.0.1:$(cat "$name.port") ;;
esac
echo "hello from $name" >&2
echo "a line that is no JSON"
echo "{\"listening\":\"$listen\"}"
[ -f "$name.stubborn" ] && exec sleep 1000000
cat >/dev/null
echo "$name" >>stopped
