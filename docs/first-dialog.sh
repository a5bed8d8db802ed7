#!/bin/sh
# Two people sign up, open a dialog, one writes, the other sees one unread message, reads it and sees none: with nothing
# but curl. Start a server first (`konvert serve`), then:  sh docs/first-dialog.sh [http://127.0.0.1:3001]
set -eu
server=${1:-http://127.0.0.1:3001}

# ask METHOD PATH TOKEN [BODY]: one request; prints the answer, ends the script when it is an error.
ask() {
    if [ -n "${4-}" ]; then set -- "$1" "$2" "$3" -H 'content-type: application/json' -d "$4"; fi
    method=$1 path=$2 token=$3
    shift 3
    curl --silent --show-error --fail-with-body -X "$method" -H "authorization: Bearer $token" "$@" "$server$path" ||
        { printf '\nfailed: %s %s\n' "$method" "$path" >&2; exit 1; }
}

# first NAME: the first text or number of that name in the JSON on standard input.
first() { sed "s/\"$1\":/\n&/" | sed -n "s/^\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" | head -n 1; }

unread() { ask GET "/api/dialogs/$dialog" "$boris" | first unread; }

tag=$(date +%s)$$
password="violet-anchor-47-harvest"
anna=$(ask POST /api/auth/sign-up '' "{\"login\":\"anna$tag\",\"password\":\"$password\",\"name\":\"Anna\"}" | first access_token)
signed_up=$(ask POST /api/auth/sign-up '' "{\"login\":\"boris$tag\",\"password\":\"$password\",\"name\":\"Boris\"}")
boris=$(printf %s "$signed_up" | first access_token)
boris_id=$(printf %s "$signed_up" | first id)
echo "Anna and Boris have signed up; Boris is $boris_id"

dialog=$(ask POST /api/dialogs "$anna" "{\"kind\":\"direct\",\"members\":[\"$boris_id\"]}" | first id)
echo "Anna has opened the dialog $dialog"

sent=$(ask POST "/api/dialogs/$dialog/messages" "$anna" '{"message_id":"hello-1","text":"Hello Boris"}')
offset=$(printf %s "$sent" | first offset)
echo "Anna has written; the message is on disk as number $offset"

[ "$(unread)" = 1 ] || { echo "Boris should have 1 unread message, has $(unread)" >&2; exit 1; }
text=$(ask GET "/api/dialogs/$dialog/messages?direction=backward&limit=1" "$boris" | first text)
echo "Boris has 1 unread message: $text"

ask PUT "/api/dialogs/$dialog/read" "$boris" "{\"offset\":$offset}" >/dev/null
[ "$(unread)" = 0 ] || { echo "Boris should have nothing unread, has $(unread)" >&2; exit 1; }
echo "Boris has read it: 0 unread"
