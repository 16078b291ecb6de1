#!/usr/bin/env bash
# backon 1.6.0: an exponential backoff that begins with 100 ms and doubles does not wait 200 ms next. The factor is an
# f32, and the product of a Duration and an f32 is not a whole number of milliseconds.
#
# Seen: 100 ms, then a wait that is longer than 200 ms by some nanoseconds.
# Consequence for a user: compare waits in whole milliseconds, and expect no equality with `first * 2`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'END_TOML'
[package]
name = "look"
version = "0.0.0"
edition = "2024"

[dependencies]
backon = { version = "=1.6.0", default-features = false }

[workspace]
END_TOML
cat >src/main.rs <<'END_RS'
use backon::{BackoffBuilder, ExponentialBuilder};
use std::time::Duration;

fn main() {
    let first = Duration::from_millis(100);
    let waits = ExponentialBuilder::default().with_min_delay(first).with_factor(2.0);
    let waits: Vec<Duration> = waits.build().take(2).collect();
    println!("{} {} {}", waits[0] == first, waits[1] == 2 * first, waits[1].as_millis());
}
END_RS
seen=$(CARGO_TARGET_DIR="$folder/target" cargo run --quiet)

if [ "$seen" = "true false 200" ]; then
  echo "backon 1.6.0: after 100 ms an exponential backoff waits not quite 200 ms"
else
  printf 'it is no longer so: the first is 100 ms, the second 200 ms, and its whole milliseconds: %s\n' "$seen" >&2
  exit 1
fi
