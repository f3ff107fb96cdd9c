PIN = uv pip compile -q --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-annotate --custom-compile-command "make lock"
LOCK = $(PIN) pyproject.toml --extra demo --extra otel --extra redis
demo test:
	python3 gw $@
lock:  # needs uv; the runtime with its extras, the same with the checks, what the checks' clients are written with, and what judges the deployment
	$(LOCK) -o requirements.lock && $(LOCK) --group test -o tests/requirements.lock && $(PIN) --group clients -o tests/clients/requirements.lock && $(PIN) --group deploy -o tests/deploy/requirements.lock
.PHONY: demo test lock
