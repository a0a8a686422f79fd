# One image for web, worker, watchdog and every command: `docker compose run --rm web warning list`.
# Debian's C library: Temporal's native part is not made for Alpine's.
FROM node:22-bookworm-slim

# Times in messages are the readers' own, and certificates of mail servers and gateways are checked.
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates tini tzdata \
  && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The commands look for this stamp before they install anything by themselves.
RUN npm ci --omit=dev --no-audit --no-fund \
  && sha256sum package-lock.json | cut -c 1-64 | tr -d '\n' > node_modules/.fenghuo-lock
COPY . .
# Where anchors of the record, and the ledgers of drills, are mounted; a new volume takes its owner from here.
RUN install -d -o node -g node /anchors /var/lib/fenghuo

USER node
ENV NODE_ENV=production TZ=Asia/Shanghai
# 1 in a container reaps nobody and hears no signal by itself.
ENTRYPOINT ["/usr/bin/tini", "--", "node", "/app/cli/fenghuo.mjs"]
CMD ["--help"]
