# Konvert in a small image without shell or root.
#
#   docker build -t konvert .
#   docker run -p 3001:3001 -v konvert:/data --ulimit nofile=100256 konvert
#   docker exec CONTAINER konvert doctor
#   docker run --rm -v konvert:/data konvert token --user anna --room lobby
#
# Settings: -e KONVERT_<SECTION>__<KEY>=…, or mount a file and set -e KONVERT_CONFIG=/etc/konvert.toml.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# The cache mounts keep what was compiled between builds; what is needed further on is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin konvert \
 && cp target/release/konvert /konvert \
 && mkdir -m 0700 /data

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /konvert /usr/local/bin/konvert
COPY --from=build --chown=65532:65532 /data /data
ENV KONVERT_SERVER__DATA=/data
VOLUME /data
EXPOSE 3001
# SIGTERM drains; give it time: docker stop --time 30.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["konvert", "health"]
ENTRYPOINT ["konvert"]
CMD ["serve"]
