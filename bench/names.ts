/** How subjects are called in tables, charts and result files. Ratios and `--compare` find them by these: they stay. */
export const DIRECT = 'direct'
export const BARE_HOP = 'Pocketmesh, one hop'
export const BARE_PAIR = 'Pocketmesh, bare'
export const EVERYTHING_ON = 'Pocketmesh, everything on'
/** Of a build whose sidecars know no trace headers. */
export const NO_TRACING = ' (no tracing)'
export const HTTP1_PAIR = 'Pocketmesh, HTTP/1.1 link'
/** The best peer, which runs bare. */
export const HAPROXY_H2 = 'HAProxy, HTTP/2 mTLS'
export const HAPROXY_H1 = 'HAProxy, HTTP/1.1 mTLS'
export const HAPROXY_HOP = 'HAProxy, one hop'
export const NGINX_PAIR = 'nginx, HTTP/1.1 mTLS'
export const NGINX_HOP = 'nginx, one hop'
export const CADDY_PAIR = 'Caddy, HTTP/2 mTLS'
export const BARE_TLS = 'bare tls server of Node'
export const GRPC_ENDS = 'grpc-js client and server'
export const FRESH = 'Pocketmesh, fresh'
