# Une image, deux programmes : `erp-api` (par défaut) et `erp-worker`. Pas d'ENTRYPOINT : la commande est ce qui tourne.
#   docker build -t erp-mif . --build-arg VERSION=0.1.0 --build-arg REVISION=$(git rev-parse HEAD) --build-arg CREATED=$(date -u +%FT%TZ)
#   docker run … erp-mif erp-api migrate | erp-api | erp-worker
#   docker build --target symboles --output symboles .   # les symboles des mêmes programmes, sans rien reconstruire (BuildKit)
# Les deux étages sont de la même Debian (13) : la glibc du programme est celle de l'image où il tourne.

FROM rust:1.95-slim-trixie AS build
WORKDIR /src
# Les requêtes sont vérifiées contre .sqlx : construire ne demande pas de base.
ENV SQLX_OFFLINE=true CARGO_INCREMENTAL=0

# 1. Les dépendances seules, dans une couche que seuls Cargo.toml et Cargo.lock renouvellent : seize minutes de processeur. Nos sources
# en prennent quinze, surtout à lier les deux programmes. Des sources vides faites à la main plutôt que cargo-chef : rien à installer ni à croire de plus, et cargo-chef réécrit les manifestes sans --locked. Un membre de plus dans le workspace est une ligne de plus ici.
COPY Cargo.toml Cargo.lock ./
COPY queue/Cargo.toml queue/
COPY core/Cargo.toml core/
COPY core/derive/Cargo.toml core/derive/
COPY api/Cargo.toml api/
COPY worker/Cargo.toml worker/
COPY worker/files/Cargo.toml worker/files/
COPY dev/Cargo.toml dev/
COPY bench/Cargo.toml bench/
RUN for crate in queue core/derive core api worker/files worker dev bench; do mkdir -p $crate/src && : >$crate/src/lib.rs; done \
    && mkdir -p dev/src/bin bench/src/bin bench/benches \
    && for main in api/src/main.rs worker/src/main.rs dev/src/main.rs dev/src/bin/erp-queries.rs dev/src/bin/erp-migration.rs \
        bench/src/bin/instructions.rs bench/benches/decoders.rs bench/benches/photos.rs bench/benches/throughput.rs bench/benches/upload.rs; do \
        echo 'fn main() {}' >$main; done \
    && cargo build --release --locked -p erp-api -p erp-worker \
    # Ce qui a été fait des sources vides ne doit pas passer pour à jour : COPY garde des dates plus anciennes.
    && rm -rf target/release/.fingerprint/erp-* target/release/.fingerprint/apalis-hot-*

# 2. Nos sources. dev/ et bench/ restent vides : ni l'un ni l'autre n'entre dans les programmes.
COPY .sqlx .sqlx
COPY migrations migrations
COPY templates templates
COPY static static
COPY queue/sqlx.toml queue/
COPY queue/migrations queue/migrations
COPY queue/src queue/src
COPY core/derive/src core/derive/src
COPY core/src core/src
COPY worker/files/src worker/files/src
COPY worker/src worker/src
COPY api/src api/src
RUN cargo build --release --locked -p erp-api -p erp-worker \
    && mkdir -p /out/data/uploads /out/data/scratch /out/bin /out/symboles \
    # Les deux tiers d'un programme sont ses symboles : à part, et leur nom et leur somme dans le programme (.gnu_debuglink). Posés à
    # côté de lui ou dans /usr/lib/debug, ils rendent à une trace ses fonctions et ses lignes ; gdb et perf les y prennent de même.
    && for programme in erp-api erp-worker; do \
        objcopy --only-keep-debug target/release/$programme /out/symboles/$programme.debug \
        && objcopy --strip-all --add-gnu-debuglink=/out/symboles/$programme.debug target/release/$programme /out/bin/$programme \
        || exit 1; \
    done

# 3. Ce qui vieillit plus vite que les programmes, du jour de la construction : les fuseaux horaires (le Maroc change d'heure par
# décret) et les certificats racine. Un autre CREATED refait cette couche ; qui ne le donne pas, comme `docker compose up --build`, garde
# celle qu'il a (`docker compose build --build-arg CREATED=… api` le donne).
FROM debian:trixie-slim AS jour
ARG CREATED=1970-01-01T00:00:00Z
# hadolint ignore=DL3008
RUN echo "$CREATED" && apt-get update && apt-get install -y --no-install-recommends ca-certificates tzdata \
    && rm -rf /var/lib/apt/lists/* && head -n 1 /usr/share/zoneinfo/tzdata.zi

# Ce que l'image ne porte pas, à garder avec elle : les symboles d'une version ne vont qu'à elle.
FROM scratch AS symboles
COPY --from=build /out/symboles/ /

# 4. Debian sans Debian : glibc, libgcc ; ni shell ni paquets, et un utilisateur 65532 qui n'est pas root.
FROM gcr.io/distroless/cc-debian13:nonroot
COPY --from=build /out/bin/ /usr/local/bin/
# Le seul endroit où les programmes écrivent (rien dans /tmp : un fichier en cours d'envoi est à côté de sa place). Un volume neuf
# y reçoit ce propriétaire ; le reste du système de fichiers peut être en lecture seule.
COPY --from=build --chown=65532:65532 /out/data /data
ENV UPLOAD_DIRECTORY=/data/uploads
WORKDIR /data
# En chiffres : Kubernetes vérifie runAsNonRoot sans lire /etc/passwd.
USER 65532:65532
EXPOSE 8000 8001
COPY --from=jour /usr/share/zoneinfo/ /usr/share/zoneinfo/
COPY --from=jour /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# Sans shell ni curl, le programme s'interroge lui-même. Un worker remplace cette commande par `erp-worker health`,
# `migrate` par aucune (voir docker-compose.yml) ; Kubernetes l'ignore et a ses propres sondes.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --start-interval=1s --retries=3 CMD ["erp-api", "health"]
CMD ["erp-api", "serve"]

# À la fin : un autre numéro de version ne refait aucune couche.
ARG VERSION=dev
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="ERP MIF Maroc" \
      org.opencontainers.image.description="API et worker de la GMAO : maintenance, interventions, documents, notifications" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
