#!/usr/bin/env bash
# Everything that must hold of the SDK: install, types, build, tests, size. Ends with the totals.
# Tests against the server use KONVERT_BIN (default: ../../target/release/konvert), which must be there. So must Chromium
# for those in a browser (CHROMIUM names another program than /usr/bin/chromium); it is installed where that is possible.
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

chromium() {
    command -v "${CHROMIUM:-/usr/bin/chromium}" && return
    [ "$(id -u)" = 0 ] && command -v apt-get || { echo 'Chromium is not installed: install the package chromium'; return 1; }
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium
}

# Without these half of the tests would be passed over.
step 'a server to test against' test -x "${KONVERT_BIN:-../../target/release/konvert}"
step 'Chromium' chromium
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
step 'broken rules are found out' npm run --silent controls
tail -n 1 "$log"
step 'size' npm run --silent size
cat "$log"

printf '\n%s s in all\n%s passed, %s failed\n' $((SECONDS - started)) "$passed" "$failed"
[ "$failed" -eq 0 ]
