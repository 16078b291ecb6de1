#!/usr/bin/env bash
# quick-junit 0.8.0: a tab in the text of a failure is not in the document. What stood in two columns is one
# word: `want<TAB>201` is written as `want201`.
#
# XML 1.0 allows a tab in the content of an element (production 2, Char), and quick-junit itself names only
# other control characters to remove. It passes each text through strip-ansi-escapes first, which keeps line
# feeds and drops every other control character, escape sequence or not.
#
# Seen: <failure>want201, where the text was "want<TAB>201".
# Consequence for a writer of reports: replace tabs before the text is handed over.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'END'
[package]
name = "look"
version = "0.0.0"
edition = "2024"

[dependencies]
quick-junit = "=0.8.0"

[workspace]
END
cat >src/main.rs <<'END'
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

fn main() {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_description("want\t201\ngot\t500");
    let mut suite = TestSuite::new("suite");
    suite.add_test_case(TestCase::new("case", status));
    let mut report = Report::new("report");
    report.add_test_suite(suite);
    print!("{}", report.to_string().expect("memory can be written to"));
}
END
document=$(CARGO_TARGET_DIR="$folder/target" cargo run --quiet)

if [[ $document == *$'<failure>want201\ngot500</failure>'* ]]; then
  echo "quick-junit 0.8.0 drops tabs: want<TAB>201 is written as want201"
else
  printf 'it is no longer so:\n%s\n' "$document" >&2
  exit 1
fi
