#!/usr/bin/env bash
# Everything that must hold of the SDK: install, types, build, tests, size. Ends with the totals.
# Tests against the server use KONVERT_BIN (default: ../../target/release/konvert), which must be there.
set -uo pipefail
cd "$(dirname "$0")"
started=$SECONDS
passed=0
failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

step() {
    local name=$1
    shift
    printf -- '--- %s\n' "$name"
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        cat "$log"
        printf -- '--- %s: FAILED\n' "$name"
    fi
}

# Vitest's own totals are added up.
tests() {
    NO_COLOR=1 npx vitest run --reporter=default
}

# Without it half of the tests would be passed over.
step 'a server to test against' test -x "${KONVERT_BIN:-../../target/release/konvert}"
step 'install' npm ci --no-audit --no-fund --loglevel=error
step 'lock file names no registry but npm' bash -c '! grep "\"resolved\"" package-lock.json | grep -v "https://registry.npmjs.org/"'
step 'types' npm run --silent check
step 'build' npm run --silent build
step 'tests' tests
counts=$(sed -n 's/^ *Tests  *//p' "$log")
more() { grep -o "[0-9]* $1" <<<"$counts" | grep -o '[0-9]*' || echo 0; }
grep -E '^ *(Test Files|Tests|Duration) ' "$log"
passed=$((passed + $(more passed)))
failed=$((failed + $(more failed)))
step 'size' npm run --silent size
cat "$log"

printf '\n%s s in all\n%s passed, %s failed\n' $((SECONDS - started)) "$passed" "$failed"
[ "$failed" -eq 0 ]
