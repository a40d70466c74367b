#!/usr/bin/env bash
# `make check`: each stage with its time; the tests are the README's own command.
set -euo pipefail
bin="${CHECK_BIN:-.venv/bin}"
stage() {
  local name="$1" started=$SECONDS
  shift
  echo "== $name"
  "$@"
  echo "== $name: $((SECONDS - started)) s"
}
stage "lint" "$bin/ruff" check .
stage "format" "$bin/ruff" format --check --quiet .
stage "types" "$bin/mypy" --no-error-summary services shared topics bot deploy tests
stage "import contracts" "$bin/lint-imports" --no-cache
stage "tests" make --no-print-directory test
