#!/bin/sh
# Once, before the rest of the stack starts: the admin token, and a key for the demo's traffic.
# No secret is in the repository; both are made here and stay in the volume.
set -eu
umask 022
cd "${1:-/secrets}"
if [ ! -s admin_token ]; then
    python -c 'import secrets; print(secrets.token_urlsafe(32), end="")' > admin_token.new
    mv admin_token.new admin_token
fi
if [ ! -s demo_key ]; then
    gateway migrate
    gateway tenants create demo
    gateway keys create --tenant demo --name traffic --json > demo_key.json
    python -c 'import json; print(json.load(open("demo_key.json"))["key"], end="")' > demo_key.new
    rm demo_key.json
    mv demo_key.new demo_key
fi
