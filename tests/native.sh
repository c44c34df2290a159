#!/usr/bin/env bash
# The pinned digests, once more from programs that are built for the very processor at hand: no instruction that only
# some processors have may change a bit. Builds the examples in a target directory of its own, without S3.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")/native
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

CARGO_TARGET_DIR=$target RUSTFLAGS="${RUSTFLAGS:-} -C target-cpu=native" \
  cargo build --locked --release --package croupier --no-default-features --examples

checked=0
while read -r example digest arguments; do
  [[ $example == '#' ]] && continue
  # shellcheck disable=SC2086 # the arguments are words
  found=$("$target/release/examples/$example" run $arguments --store "$scratch" --json --no-progress 2>"$scratch/said" \
    | sed -n 's/^  "digest": "\([0-9a-f]*\)",*$/\1/p') || found=
  if [[ $found != "$digest" ]]; then
    cat "$scratch/said" >&2
    echo "$example $arguments: the digest is ${found:-none} with target-cpu=native, expected $digest" >&2
    exit 1
  fi
  checked=$((checked + 1))
done <tests/pins.txt
[[ $checked -gt 0 ]] || { echo 'tests/pins.txt pins nothing' >&2; exit 1; }
echo "$checked digests are the same with target-cpu=native"
