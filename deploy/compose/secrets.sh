#!/bin/sh
# Before the rest of the stack starts: its secrets, made once, kept in volumes, and in no repository.
#   admin_token          what Prometheus shows at /metrics
#   password, pgpass     PostgreSQL's own, and the same as its clients read it
set -eu
umask 022 # whatever its user, a container that mounts the volume may read it

keep() { # FILE: a new random word, whole or not there
    [ -s "$1" ] && return
    python -c 'import secrets; print(secrets.token_urlsafe(32), end="")' > "$1.new"
    mv "$1.new" "$1"
}

root=${1:-}
keep "$root/secrets/admin_token"
cd "$root/credentials/database"
keep password
umask 077 # else PostgreSQL's clients ignore it
printf 'postgres:5432:gateway:gateway:%s\n' "$(cat password)" > pgpass
