# Two commands on a fresh machine: `make run` shows Casemate at work, `make test` passes every test.
# Developers use ./dev.
.PHONY: run test wheel

# The interpreter is named: tools/setup has given that one pandas and matplotlib.
run:
	@./dev build release --target casemate
	build/casemate run --python /usr/bin/python3 --timeout 2m --file degrees_women_usa.csv=examples/data/degrees_women_usa.csv \
	  --output-dir build/example --force examples/data_analysis.py

test:
	@./dev test release

# The Python package with the program in it: build/wheel/casemate-*.whl.
wheel:
	@./dev build release --target casemate
	@tools/wheel build
