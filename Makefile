LOCK = uv pip compile -q pyproject.toml --extra demo --extra redis --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-annotate --custom-compile-command "make lock"
demo test:
	python3 gw $@
lock:  # needs uv; the first line is the runtime with its extras, the second adds the checks
	$(LOCK) -o requirements.lock && $(LOCK) --group test -o tests/requirements.lock
.PHONY: demo test lock
