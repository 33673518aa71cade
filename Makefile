# Everything a contributor runs. Each target installs what it needs.
GO          ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS     := -s -w -X main.version=$(VERSION)

.PHONY: build demo test lint oracle bench fuzz e2e e2e-kill e2e-faults docs clean
build: ## the static binary, bin/pgbundle
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/pgbundle ./cmd/pgbundle

demo: ## a newcomer's first run: hermetic, no root
	scripts/demo.sh

test: ## everything hermetic
	$(GO) test ./...

lint: ## gofmt, vet for Linux and macOS, staticcheck, shellcheck, ansible-lint, yamllint
	scripts/lint.sh $(STATICCHECK)

oracle: ## compare with the real tools: dnf, createrepo_c, rpm, pip, tar, minisign
	scripts/oracle.sh

bench: ## ratios against the real tools, written to docs/benchmarks.md
	scripts/bench.sh

fuzz: ## every fuzz target for FUZZTIME each (default 5m)
	scripts/fuzz.sh $${FUZZTIME:-5m}

e2e: ## the real world: a real RPM distribution, wheels and collections; needs root
	scripts/e2e.sh

e2e-kill: ## all of the kills and power cuts of which make e2e tries a sample; needs root
	PGBUNDLE_KILLS=200 PGBUNDLE_CUTS=200 scripts/e2e.sh -timeout 3h -run '^(TestKill|TestPower)$$'

e2e-faults: build ## all of the forged and swapped bundles, failing disks and failovers of which make test and make e2e try a sample; needs root
	mkdir -p .testbed/evidence
	PGBUNDLE_MUTANTS=50 PGBUNDLE_SWAPS=300 PGBUNDLE_PROGRAM=$(CURDIR)/bin/pgbundle PGBUNDLE_EVIDENCE=$(CURDIR)/.testbed/evidence \
		$(GO) test -count 1 -timeout 1h -v -run '^(TestMutatedBundles|TestMutatedBundlesByCommandLine|TestSourceSwappedWhileInstalling)$$' ./install
	PGBUNDLE_FAULT_POINTS=500 scripts/e2e.sh -run '^TestFaults$$'
	PGBUNDLE_FAILOVERS=3 scripts/e2e.sh -timeout 3h -run '^TestCluster'

docs: build ## the reference, from the commands' own help
	bin/pgbundle docs > docs/reference.md

clean:
	rm -rf bin .testbed
