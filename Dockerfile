# syntax=docker/dockerfile:1
# Two images from one build. `services` (the last stage, and the default) is for collectors, analyzers, repairers and agents beside a Kafka and
# a ClickHouse; `embedded` holds the database's library too, half a gigabyte, for everything in one container:
#
#   docker build -t meshward:0.2.0 .
#   docker build -t meshward:0.2.0-embedded --target embedded .

FROM node:24-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ git \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
COPY . .
RUN node package/build.ts /app
# What the image is made of, for scanners.
RUN npm sbom --omit=dev --sbom-format=cyclonedx > /app/sbom.cdx.json
RUN mv node_modules /app/node_modules

FROM build AS without-database
RUN rm -rf /app/node_modules/chdb /app/node_modules/@chdb

FROM gcr.io/distroless/nodejs24-debian12:nonroot AS embedded
LABEL org.opencontainers.image.title="meshward" \
      org.opencontainers.image.description="Mesh-health observability and repair controller, with a database of its own" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.2.0-embedded"
COPY --from=build /app /app
ENV NODE_ENV=production
USER 10001:10001
ENTRYPOINT ["/nodejs/bin/node", "/app/cli/main.js"]
CMD ["up"]

FROM gcr.io/distroless/nodejs24-debian12:nonroot AS services
LABEL org.opencontainers.image.title="meshward" \
      org.opencontainers.image.description="Mesh-health observability and repair controller" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.2.0"
COPY --from=without-database /app /app
ENV NODE_ENV=production
USER 10001:10001
ENTRYPOINT ["/nodejs/bin/node", "/app/cli/main.js"]
CMD ["--help"]
