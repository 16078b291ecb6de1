# The image of tracelab: one program that is every service, the lab and the load generator.
#
#   docker build -t tracelab .
#   docker build -t tracelab --build-arg PROFILE=dev .    compiled sooner, its own code without optimization
#
# It needs neither buildx nor BuildKit, so there is no `RUN --mount`: what is to be cached is a layer.

# === What it runs on ===
# First, so that `--target runtime` builds it alone, for whoever brings a program of their own.
FROM debian:bookworm-slim AS runtime
# Not root. The folder is for who wants SQLite files or mails there; it is a volume's to keep.
RUN useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin tracelab \
    && install --directory --owner=tracelab --group=tracelab /data
USER tracelab
WORKDIR /data
# A container is reached from outside of it: nothing listens on loopback alone here.
ENV LISTEN=0.0.0.0:8080
# Every service and the page answer GET /healthz at the port that they were told. Bash opens the
# connection itself: there is no other HTTP client in this image, and none is needed.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/${LISTEN##*:} && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && read -r -t 2 status <&3 && [[ $status == *' 200 '* ]]"]
ENTRYPOINT ["tracelab"]
CMD ["--help"]

# === The shape of the workspace, without its code ===
# Its manifests, and a stub in place of each source file that cargo looks for. It only changes when
# they do, so the layer of dependencies below does not either.
# Not the slim variant: jemalloc is built with make.
FROM rust:1.95.0-bookworm AS manifests
WORKDIR /tracelab
COPY . .
RUN mkdir /manifests \
    && find . -name Cargo.toml -o -name Cargo.lock -o -path './.cargo/config.toml' \
        -o -path '*/src/lib.rs' -o -path '*/src/main.rs' -o -name build.rs -o -path '*/benches/*.rs' | xargs cp --parents --target-directory=/manifests \
    && echo 'fn main() {}' | tee $(find /manifests -name '*.rs') >/dev/null

# === The build ===
FROM rust:1.95.0-bookworm AS build
WORKDIR /tracelab
ARG PROFILE=release
# What would be stripped is not made, and what would help the next build by this cargo has no next build.
ENV CARGO_PROFILE_RELEASE_STRIP=symbols CARGO_PROFILE_DEV_STRIP=symbols CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0
# The dependencies, in a layer of their own: some ten minutes on two cores that are spent once.
COPY --from=manifests /manifests .
RUN cargo build --profile "$PROFILE" --locked
# The code. Cargo goes by the time of a file: those of a checkout may be older than the stubs.
COPY . .
RUN find . -path ./target -prune -o -name '*.rs' -exec touch {} + \
    && cargo build --profile "$PROFILE" --locked \
    && install target/*/tracelab /usr/local/bin/

# === The image ===
FROM runtime
# Whom to trust, for a load on an https:// address.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /usr/local/bin/tracelab /usr/local/bin/tracelab
