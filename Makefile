# Two commands on a fresh machine: `make run` shows Casemate at work, `make test` passes every test.
# Developers use ./dev.
.PHONY: run test

run:
	@./dev build release --target casemate
	build/casemate run --workspace examples/data:ro --output-dir build/example --force examples/data_analysis.py

test:
	@./dev test release
