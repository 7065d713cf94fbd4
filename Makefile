# Berth. `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Steps with a stamp run once; the rest of a target is in order.
.NOTPARALLEL:

build := build
stamps := $(build)/stamps
native_bin := native/target/x86_64-unknown-linux-gnu/release
# Last: one of npm's programs has the name of nftables' nft.
export PATH := $(CURDIR)/$(build)/tools/bin:$(PATH):$(CURDIR)/node_modules/.bin

protos := $(shell find proto -name '*.proto')
sources := $(shell find src -name '*.ts' -not -path 'src/generated/*')
native_sources := $(shell find native -path native/target -prune -o \( -name '*.rs' -o -name '*.toml' -o -name Cargo.lock \) -print)

say = @printf '\033[1m==>\033[0m %s\n' "$(1)"

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup-run setup-test
setup-run:
	@deploy/setup.sh run
setup-test:
	@deploy/setup.sh test

$(stamps)/node-modules: package.json package-lock.json .npmrc
	$(call say,installs the npm packages of package-lock.json into node_modules)
	@mkdir -p $(stamps) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(stamps)/generated: $(stamps)/node-modules $(protos)
	$(call say,generates TypeScript from proto/)
	@rm -rf src/generated && mkdir -p src/generated
	@protoc --plugin=node_modules/.bin/protoc-gen-ts_proto --ts_proto_out=src/generated -Iproto --ts_proto_opt=outputServices=grpc-js,esModuleInterop=true,env=node,forceLong=bigint,outputJsonMethods=false,outputPartialMethods=false,exportCommonSymbols=false,useExactTypes=false,importSuffix=.ts,enumsAsLiterals=true,oneof=unions-value $(protos)
	@touch $@

$(stamps)/native: $(native_sources) $(wildcard proto/berth/native/*.proto)
	$(call say,builds the native programs (Rust; a minute or two the first time))
	@mkdir -p $(stamps) $(build)/bin && cd native && cargo build --release --locked
	@install -m 755 -t $(build)/bin $(addprefix $(native_bin)/,berth-helper berth-shim berth-runtime berth-pod-init berth-port-proxy)
	@touch $@

$(stamps)/bundle: $(stamps)/generated $(sources) deploy/bundle.ts package.json
	$(call say,bundles berthd and berth into build/bin)
	@node deploy/bundle.ts
	@touch $@

$(build)/demo-image.tar: $(stamps)/native deploy/demo-image.ts
	$(call say,makes the demo image)
	@node deploy/demo-image.ts $(native_bin)/berth-demo $@

comma := ,

.PHONY: build
build: setup-run $(stamps)/native $(stamps)/bundle $(build)/demo-image.tar ## build everything into build/bin

.PHONY: demo
demo: build ## run a pod of two containers in namespaces of their own, and take it all down
	@deploy/demo.sh

.PHONY: up
up: build ## run a node in the foreground with its defaults (root; ends on Ctrl-C, pods go on)
	@exec $(build)/bin/berthd $(ARGS)

.PHONY: test
test: setup-test build ## run every check and test (root)
	@node test/run.ts

.PHONY: test-unit
test-unit: $(stamps)/generated ## run the unit tests alone
	@ava

.PHONY: test-integration
test-integration: setup-test build ## run the tests with real kernel objects alone (root)
	@node test/run.ts "integration tests"

.PHONY: test-vm
test-vm: setup-test build ## run the tests that want a kernel of their own, in a virtual machine (root)
	@node test/run.ts "virtual machine"

.PHONY: vm-shell
vm-shell: setup-test build ## open a shell in that virtual machine; its end is the machine's (root)
	@node test/vm/run.ts shell

.PHONY: conformance
conformance: setup-test build ## let the CRI's own tools judge a node: make conformance CRITEST=path CRICTL=path (root)
	@node test/run.ts conformance

.PHONY: conformance-vm
conformance-vm: setup-test build ## the same in that virtual machine, with cgroup v2 and AppArmor: make conformance-vm CRITEST=path (root)
	@node test/run.ts "conformance in the virtual machine"

.PHONY: bench
bench: setup-test build ## measure Berth, and containerd beside it where it is installed: ROUNDS=50 PEERS= MEASURES= … (root)
	@unshare --mount --net --propagation private sh -c 'mount --make-rshared / && ip link set lo up && exec node test/bench/run.ts'

$(stamps)/failpoints: $(stamps)/native $(stamps)/bundle
	$(call say,builds helper and shim with failpoints)
	@mkdir -p $(build)/failpoints/bin
	@cd native && CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 cargo build --release --locked -p helper -p shim --features sys/failpoints --target-dir ../$(build)/failpoints/target
	@cp -r $(build)/bin/. $(build)/failpoints/bin
	@install -m 755 -t $(build)/failpoints/bin $(addprefix $(build)/failpoints/target/x86_64-unknown-linux-gnu/release/,berth-helper berth-shim)
	@touch $@

.PHONY: build-previous
build-previous:
	@test/upgrade/build-previous.sh "$(PREVIOUS)" > $(build)/previous.txt

# What a campaign needs besides.
campaign_failpoints := $(stamps)/failpoints
campaign_upgrade := build-previous

.PHONY: campaign
campaign: setup-test build $(campaign_$(CAMPAIGN)) ## the crash suite, long: CAMPAIGN=lifecycles|log-lines|full-disk|shims|stuck|events|sessions|failpoints|image-failpoints|upgrade|hostile-images|races SEED=1 SEEDS=1 (root)
	@FAILPOINT_BIN=$(CURDIR)/$(build)/failpoints/bin PREVIOUS_BIN=$$(cat $(build)/previous.txt 2>/dev/null) node test/run.ts "crash campaign"

.PHONY: check
check: setup-run check-types check-lint check-exports check-clippy check-native-tests ## types, lint, format, unused exports, clippy, cargo tests

.PHONY: check-types
check-types: $(stamps)/generated
	@tsc -p .

.PHONY: check-lint
check-lint: $(stamps)/node-modules
	@biome ci --error-on-warnings .

.PHONY: check-exports
check-exports: $(stamps)/generated
	@knip

.PHONY: check-clippy
check-clippy:
	@cd native && cargo fmt --check
	@cd native && cargo clippy --locked --quiet --all-targets -- -D warnings

.PHONY: check-native-tests
check-native-tests:
	@cd native && cargo test --locked --quiet

.PHONY: docs
docs: $(stamps)/generated ## make docs/configuration.md and docs/cli.md from the code
	@node deploy/reference-page.ts docs/configuration.md
	@node deploy/cli-page.ts docs/cli.md

.PHONY: format
format: $(stamps)/node-modules ## format all sources
	@biome format --write . && cd native && cargo fmt

.PHONY: clean
clean: ## remove what was built (not what was installed)
	@rm -rf $(build)/bin $(build)/stamps $(build)/vm $(build)/results $(build)/demo-image.tar src/generated native/target
