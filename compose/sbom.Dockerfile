# Debian's own tools for bills of material, which it has in sid only: debsbom writes them from dpkg's data, pyspdxtools checks them.
# compose/sbom builds and runs this; nothing of Loyalty is in it.
ARG BASE=debian:trixie-slim
FROM ${BASE}
RUN set -eu; cd /etc/apt/sources.list.d; \
	sed -e '/^$/,$d' -e 's/^Suites:.*/Suites: sid/' debian.sources >sid.sources; \
	printf 'Check-Valid-Until: no\n' >>sid.sources; \
	printf 'Package: *\nPin: release n=sid\nPin-Priority: 100\n' >/etc/apt/preferences.d/sid; \
	apt-get update -q; \
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends -t sid debsbom python3-spdx-tools; \
	rm -rf /var/lib/apt/lists/*
