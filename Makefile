# Assent. "make demo" proves the whole path unattended; "make run" leaves a living
# system up. Both need Go, a C compiler and Debian packages (see .ci/deps).

GO      ?= go
PROGRAMS = samd sicd ssad assent
# The same bytes from the same source, wherever it is built.
BUILD    = $(GO) build -trimpath -buildvcs=false
FUZZTIME ?= 20s
SEED     ?= 1
SOAKFUZZ ?= 5m
# In CI a test that was skipped is a failure, unless the reviewed list allows it.
SKIPS    = $(if $(filter true,$(CI)),-skips conformance/testdata/skips,-any-skip)
TESTSUM  = $(GO) run ./conformance/cmd/testsum $(SKIPS)
# Results are kept; survivors and functions that changed are run again.
MUTATE   = mkdir -p bin && $(GO) run ./conformance/cmd/mutate -reviewed conformance/testdata/mutants.tsv -again open,survived,unreached -seed $(SEED)
MUTANTS  ?= 400
# The files of sam that decide about keys and roles; MUTATED=. is all of it.
MUTATED  ?= ^sam/(activate|anchor|backup|caller|condition|dual|enrol|keystate|lockout|once|once_approve|outcome|redeem|reseal|roles|seal|sealkeys|sealrotate|verify)\.go:
MATRIX   = $(GO) run ./cmd/assent conformance report $(if $(filter true,$(CI)),,--any-skip) --out bin/conformance

.PHONY: help build demo run test race lint fuzz soak bench mutate conformance assets deps judges

help: ## show these lines
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

build: ## compile the four programs into bin/
	@mkdir -p bin
	$(BUILD) -o bin/ $(PROGRAMS:%=./cmd/%)

judges: ## compile the judge that runs in its own process into bin/
	@mkdir -p bin
	$(BUILD) -o bin/ ./conformance/cmd/pdfsignjudge

deps: ## install the Debian packages of "make test" (root), or print the command
	@.ci/deps test

demo: ## sign, judge and try to cheat, unattended; exit 0 only if everything held
	@.ci/deps demo
	@$(MAKE) --no-print-directory build judges
	bin/assent demo

run: ## the same system, living: sign an own PDF in the browser; Ctrl-C ends it
	@.ci/deps run
	@$(MAKE) --no-print-directory assets build
	bin/assent run

assets: ## fetch pdf.js by its lock file and bundle the signer's app
	.ci/npm
	$(GO) run ./signapp/signer/build

test: ## go vet, all tests, and the requirement matrix by their results
	@.ci/deps test
	@$(MAKE) --no-print-directory assets
	$(GO) vet ./...
	TMPDIR=$$(.ci/tmp) $(GO) test -json -timeout 15m ./... | $(TESTSUM) -results bin/results/test.jsonl
	$(MATRIX) --results bin/results/test.jsonl

race: ## the packages with concurrency, under the race detector
	$(GO) test -race -timeout 20m ./internal/... ./sap/... ./cryptotoken/... ./sam/... ./signapp ./signapp/appsqlite ./workers/... ./api/...

lint: ## gofmt, go vet, staticcheck, golangci-lint
	@.ci/lint

fuzz: ## every fuzz target for FUZZTIME (20s), one after the other
	@.ci/fuzz $(FUZZTIME)

soak: ## the long forms: whole crash matrix, replays, random walk, timing of refusals, 10,000 documents canonicalized beside xmllint and xmlsec1, 200 mutants, samd's inputs fuzzed 5 minutes each; SEED=n; goes on after an interruption
	@mkdir -p bin
	ASSENT_SOAK=1 ASSENT_SEED=$(SEED) ASSENT_SOAK_PROGRESS=$(CURDIR)/bin/soak.progress \
		$(GO) test -count=1 -v -timeout 6h -run 'FPT05|KEY10|SAP03|Planted' ./conformance/crash ./conformance/e2e
	ASSENT_SOAK=1 ASSENT_SEED=$(SEED) $(GO) test -count=1 -v -timeout 2h -run 'Timing|PRV01' ./sam ./sam/samrpc
	ASSENT_SOAK=1 ASSENT_SEED=$(SEED) $(GO) test -count=1 -v -timeout 2h -run Agree ./internal/c14n
	$(MUTATE) -min 80 -sample 200 -only '$(MUTATED)' -tests ./sam,./sam/samrpc -progress bin/mutants.sam.jsonl ./sam
	.ci/fuzz $(SOAKFUZZ) sam sap cryptotoken internal/jcs internal/attestation internal/audit internal/certs

bench: ## ratios against floors and peers in one run (Java and Python ones after make conformance), CPU first; then each package's own
	$(GO) run ./conformance/bench
	$(GO) test -run xxx -bench . -benchmem -timeout 60m ./internal/... ./sap/... ./cryptotoken/... ./sam/... ./workers/...

mutate: ## change sap (whole) and sam (MUTANTS of the files MUTATED, by SEED) one by one: do the tests notice? goes on after an interruption
	$(MUTATE) -min 95 -tests ./sap,./sap/device -progress bin/mutants.sap.jsonl ./sap
	$(MUTATE) -min 80 -sample $(MUTANTS) -only '$(MUTATED)' -tests ./sam,./sam/samrpc -progress bin/mutants.sam.jsonl ./sam

# Results that "make test" left count here as long as nothing that they depend on has changed; those of judges are new each time.
conformance: judges ## judges of others and boundaries anew, all other tests (or their kept results), then which requirements are proven: bin/conformance/index.html
	@.ci/deps conformance
	@.ci/pyhanko
	@.ci/javajudges
	@$(MAKE) --no-print-directory assets
	.ci/judges -timeout 15m | $(TESTSUM) -results bin/results/judges.jsonl
	TMPDIR=$$(.ci/tmp) $(GO) test -json -timeout 15m ./conformance/... $$($(GO) run ./cmd/assent conformance packages) | $(TESTSUM) -results bin/results/matrix.jsonl
	$(MATRIX) --results bin/results/judges.jsonl --results bin/results/matrix.jsonl
