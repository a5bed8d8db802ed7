#!/usr/bin/env bash
# Everything that must hold of the chat app: install, format, types, units, the committed build, its size, and the
# end-to-end tests in Chromium against the real binary (KONVERT_BIN, default ../../target/release/konvert) with the
# build that is embedded in it. Ends with the totals. Needs Node 20 and a C compiler; Chromium is installed where that
# is possible.
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

# Adds a runner's own totals, as `N passed` and `N failed` in the line or lines that a pattern finds. A run that told no
# total counts as failed already.
totals() {
    local counts
    counts=$(sed 's/\x1b\[[0-9;]*m//g' "$log" | grep -E "$1")
    sum() { grep -oE "[0-9]+ $1" <<<"$counts" | awk '{ n += $1 } END { print n + 0 }'; }
    passed=$((passed + $(sum passed)))
    failed=$((failed + $(sum failed) + $(sum 'did not run') + $(sum interrupted) + $(sum flaky)))
    printf '%s\n' "$counts"
}

chromium() {
    command -v "${CHROMIUM:-chromium}" && return
    [ "$(id -u)" = 0 ] && command -v apt-get || { echo 'Chromium is not installed: install the package chromium'; return 1; }
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium
}

# With the page that is embedded in the binary, whatever somebody is trying out.
browser() {
    env -u APP_DIST CI=true NO_COLOR=1 npx playwright test -c e2e/playwright.config.ts "$@"
}
readonly BROWSER_TOTALS='^ +[0-9]+ (passed|failed|flaky|skipped|interrupted|did not run)'

step 'install' npm ci --no-audit --no-fund --loglevel=error
step 'lock file names no registry but npm' bash -c '! grep "\"resolved\"" package-lock.json | grep -v "https://registry.npmjs.org/"'
step 'format and lint' npm run --silent lint
step 'types' npm run --silent check
step 'types of the end-to-end tests' npx tsc -p e2e/tsconfig.json
step 'units' env NO_COLOR=1 npx vitest run --reporter=default
totals '^ *Tests '
step 'the committed build is what the sources give' npm run --silent verify
step 'size' npm run --silent size
cat "$log"
step 'Chromium' chromium
# One more at a time than there are cores: half of what a story does is to wait. Builds with a broken SDK must be found out.
step 'stories in the browser, and their negative controls' browser --project=stories --project=controls --workers="${E2E_WORKERS:-3}"
totals "$BROWSER_TOTALS"
# By themselves: beside others a frame comes late for no fault of the app.
step 'measured in the browser' browser --project=measured --workers=1
grep -E ': [0-9.]+ (%|B) ' "$log"
totals "$BROWSER_TOTALS"

printf '\n%s s in all\n%s passed, %s failed\n' $((SECONDS - started)) "$passed" "$failed"
[ "$failed" -eq 0 ]
