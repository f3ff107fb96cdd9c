#!/bin/sh
# Before the demo's traffic starts: a tenant with a budget, and a key that stays in its volume.
set -eu
umask 077
cd "${1:-}/credentials/demo"
[ -s key ] && exit 0
gateway tenants create demo
gateway budgets set demo --limit-usd 20 --period month --soft # a hard one wants a bound of every request
gateway keys create --tenant demo --name traffic --json > key.json
python -c 'import json; print(json.load(open("key.json"))["key"], end="")' > key.new
rm key.json
mv key.new key
