# One target for each service: docker build --target gateway . (origin, command, reports). Nothing is compiled: Node runs the sources.
# A tag and no digest, so that each build takes the newest fixes of Debian; Node itself stays at what package.json pins.
ARG NODE_VERSION=26.10.0

FROM node:${NODE_VERSION}-trixie-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# The optional packages are the pinned Node, which the image is made of, and one that piscina does without.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

# What belongs to root, nobody in the container can change; what it needs to write, it does not need.
FROM node:${NODE_VERSION}-trixie-slim AS service
# Metrics have a port of their own, which is published nowhere.
ENV NODE_ENV=production HOST=0.0.0.0 METRICS_HOST=0.0.0.0
WORKDIR /app
# A service installs nothing, and what it has not need not be patched.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn-*
COPY --from=packages /app/node_modules node_modules
COPY package.json ./
COPY deploy/healthcheck.ts deploy/
COPY shared shared
USER 1000:1000

# What a start compiles, and the sources without their types, for the same user and flags: the next start reads it
# (docs/adr/0017-compile-cache.md). A start without configuration ends with 78; the rest is loaded by name.
FROM service AS compiler
ENV NODE_COMPILE_CACHE=/app/.cache/compile
USER 0:0
RUN install --directory --owner=1000 --group=1000 .cache
USER 1000:1000

FROM compiler AS gateway-cache
COPY gateway gateway
RUN node --max-semi-space-size=16 gateway/adapters/node/main.ts; test $? -eq 78 && \
    node --max-semi-space-size=16 --eval '' --import ./gateway/adapters/node/serve.ts \
    --import ./gateway/adapters/node/processes/supervise.ts --import ./shared/node/telemetry/otlp-tracing.ts

FROM service AS gateway
COPY gateway gateway
COPY --from=gateway-cache --chown=0:0 --chmod=755 /app/.cache .cache
ENV NODE_COMPILE_CACHE=/app/.cache/compile
ENV GATEWAY_PORT=8080 GATEWAY_METRICS_PORT=9080
EXPOSE 8080 9080
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["node", "deploy/healthcheck.ts", "GATEWAY_PORT"]
CMD ["node", "--max-semi-space-size=16", "gateway/adapters/node/main.ts"]

FROM compiler AS origin-cache
COPY sql sql
COPY origin origin
RUN node origin/main.ts; test $? -eq 78 && \
    node --eval '' --import ./origin/passwords/hash-worker.ts --import ./origin/passwords/strength-worker.ts \
    --import ./shared/node/telemetry/otlp-tracing.ts

FROM service AS origin
# Authorities of Amazon RDS, for sslrootcert; another database is told its own, or none.
COPY deploy/rds-ca.pem deploy/
COPY sql sql
COPY origin origin
COPY --from=origin-cache --chown=0:0 --chmod=755 /app/.cache .cache
ENV NODE_COMPILE_CACHE=/app/.cache/compile
ENV ORIGIN_PORT=8081 ORIGIN_METRICS_PORT=9081
EXPOSE 8081 9081
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["node", "deploy/healthcheck.ts", "ORIGIN_PORT"]
CMD ["node", "origin/main.ts"]

# What people and jobs run once: migrations, keys, clients, accounts, secrets.
FROM service AS command
COPY deploy/rds-ca.pem deploy/
COPY sql sql
COPY origin origin
COPY dev/secrets.ts dev/
ENTRYPOINT ["node"]
CMD ["origin/db/migrate.ts"]

FROM service AS reports
COPY examples/reports examples/reports
ENV REPORTS_PORT=8082
EXPOSE 8082
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["node", "deploy/healthcheck.ts", "REPORTS_PORT"]
CMD ["node", "examples/reports/main.ts"]
