# The gateway in an image that holds nothing else. docs/operations.md says how to run it; scripts/image.sh builds it.
ARG DEBIAN=bookworm

FROM rust:1.95-slim-${DEBIAN} AS build
WORKDIR /src
COPY . .
ARG PROFILE=release
RUN scripts/build.sh ${PROFILE} /build/ctigate
RUN install -D /build/ctigate /out/usr/bin/ctigate
RUN install -d -o 10001 -g 10001 -m 750 /out/var/lib/ctigate
RUN install -D -m 644 deploy/docker/ctigate.toml /out/etc/ctigate/ctigate.toml
RUN install -D -m 644 -t /out/usr/share/doc/ctigate LICENSE-MIT LICENSE-APACHE

FROM debian:${DEBIAN}-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates tzdata && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/ /
ENV CTIGATE_CONFIG=/etc/ctigate/ctigate.toml
WORKDIR /var/lib/ctigate
VOLUME /var/lib/ctigate
USER 10001:10001
EXPOSE 4056 4067
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["/usr/bin/ctigate", "status", "--json"]
ENTRYPOINT ["/usr/bin/ctigate"]
CMD ["serve"]
