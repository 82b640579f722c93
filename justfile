# What one needs while working. `just` lists it (https://just.systems); each line is a command that works without it.
_:
    @just --list --unsorted

# Everything on this machine: Postgres, API, worker, mailbox, demo data
dev *options:
    cargo dev {{options}}

# The tests whose names contain the words: `just t planning`. By cargo-nextest where it is installed (.config/nextest.toml)
t +words:
    if cargo nextest --version >/dev/null 2>&1; then cargo nextest run --workspace {{words}}; else cargo test --workspace -- {{words}}; fi

# One story of the API, or all: `just api planning`
api *words:
    cargo test --workspace --test api -- {{words}}

# All tests
test:
    cargo test --workspace

# Formatting, lints, documentation: what is quick of the checks
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items --locked

# After a change of SQL or of the schema: renews .sqlx
queries:
    cargo queries

# The two files of a migration: `just migration "ajoute la couleur"`
migration name:
    cargo migration "{{name}}"

# After a change of a route: renews the OpenAPI document
openapi:
    cargo run -p erp-api -- openapi > docs/openapi.json

# Breaks under load what can break
chaos minutes='20':
    CHAOS_MINUTES={{minutes}} cargo chaos

# All checks, as on a bare machine
ci:
    .ci/run
