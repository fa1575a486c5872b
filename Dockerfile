# The image of the service. Any Node 20 or later with a shell to build in will do. Pin it by its digest where images must not change by
# themselves: docker build --build-arg NODE_IMAGE=node:24-slim@sha256:… .
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Without scripts: prepare would build before the sources are here.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build && chmod 755 dist/src/main.js && mkdir bin && ln -s ../dist/src/main.js bin/fraiseql-observers

FROM ${NODE_IMAGE} AS dependencies
# --build-arg OMIT=dev keeps the embedded PostgreSQL (60 MB) in the image, for the demo.
ARG OMIT=optional
WORKDIR /app
COPY package.json package-lock.json ./
# The rebuild makes the links of the embedded PostgreSQL, where it is kept.
RUN npm ci --omit=dev --omit=$OMIT --ignore-scripts --no-audit --no-fund && npm rebuild

FROM ${NODE_IMAGE}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="fraiseql-observers" \
      org.opencontainers.image.description="Reliable side effects for PostgreSQL" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"
# The probes must be reached from outside the container. The port stands here, so that HEALTHCHECK knows it whatever the observers file says.
ENV NODE_ENV=production \
    OBSERVERS_HOST=0.0.0.0 \
    OBSERVERS_PORT=8700 \
    PATH="/app/bin:${PATH}"
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY --from=build /app/bin bin
COPY package.json observers.schema.json LICENSE ./
# The observers file lies here: docker run -v ./observers.yaml:/config/observers.yaml. Nothing is ever written, here or elsewhere.
WORKDIR /config
# The user node of the base image; by its number, so that Kubernetes can see that it is not root.
USER 1000:1000
EXPOSE 8700
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.OBSERVERS_PORT}/health/live`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# No tini: the program handles SIGTERM, SIGINT and SIGHUP itself, and starts no other.
ENTRYPOINT ["node", "/app/dist/src/main.js"]
CMD ["start"]
