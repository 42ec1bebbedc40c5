# The image: Debian's libraries, Node and this program; nothing that builds, installs or becomes another user.
# Nothing here depends on the processor: it is the same text for linux/amd64 and linux/arm64.

FROM node:24-bookworm-slim AS program
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The optional dependencies are Node itself, which is there already. Of better-sqlite3 only the library and the binary
# for this platform stay; that it loads is tried here and now.
RUN npm ci --omit=dev --omit=optional \
    && cd node_modules/better-sqlite3 \
    && rm -rf deps src binding.gyp ../node-addon-api \
    && find prebuilds -type f ! -name "linux-$(node -p process.arch).node" -delete \
    && node -e "require('better-sqlite3')(':memory:').close()"
COPY LICENSE openapi.yaml ./
COPY bin bin
COPY migrations migrations
COPY src src
# Fills the compile cache that bin/secret-manager tells of, as the user who will read it: Node keeps one for each. Then,
# whatever the umask was where the sources were checked out, everybody may read all of it and nobody but root change it.
RUN rm package-lock.json .npmrc \
    && chmod -R u=rwX,go=rX . \
    && install -d -o 1000 -g 1000 node_modules/.cache \
    && setpriv --reuid=1000 --regid=1000 --clear-groups bin/secret-manager --version \
    && chown -R 0:0 node_modules/.cache \
    && chmod -R u=rwX,go=rX node_modules/.cache

FROM node:24-bookworm-slim AS system
# Deleting makes an image smaller only before its layers are made: so this stage is copied as a whole below.
RUN rm -rf /opt/* /usr/local/include /usr/local/lib/node_modules \
    && find /usr/local/bin ! -type d ! -name node -delete \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
    && ln -s /app/bin/secret-manager /usr/local/bin/secret-manager

FROM scratch
LABEL org.opencontainers.image.title="Secret Manager" \
      org.opencontainers.image.description="A self-hosted secret manager for people who provision machines" \
      org.opencontainers.image.licenses="MIT"
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
COPY --from=system / /
COPY --from=program /app /app
# Not every builder keeps owner and mode of what it copies.
RUN install -d -m 0700 -o 1000 -g 1000 /data && chmod 1777 /tmp /var/tmp
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 SECRET_MANAGER_DATA_DIR=/data
# A number: Kubernetes' runAsNonRoot can't tell what a name stands for.
USER 1000:1000
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["node", "-e", "http.get(`http://127.0.0.1:${process.env.PORT}/healthz`, (answer) => process.exit(answer.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
ENTRYPOINT ["secret-manager"]
