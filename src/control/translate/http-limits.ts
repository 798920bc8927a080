/**
 * Limits and deadlines of HTTP connections that proxies accept, and of HTTP/2 connections that they open. Constants.
 * Source: Envoy's best practices for the edge; where users would see a difference, Istio's: streams may be silent for ever
 * (stream_idle_timeout 0), and a program may have many streams on one connection. Of upgrades Istio lists WebSocket; here
 * none is listed, so that whatever both programs agree on (a 101) goes through, but for CONNECT.
 */
import type { envoy } from '../../xds/generated/xds.js'
import { duration } from './resource.ts'

type Http2Options = envoy.config.core.v3.Http2ProtocolOptions
type ManagerLimits = Pick<
  envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager,
  | 'commonHttpProtocolOptions'
  | 'httpProtocolOptions'
  | 'http2ProtocolOptions'
  | 'streamIdleTimeout'
  | 'requestHeadersTimeout'
  | 'delayedCloseTimeout'
  | 'maxRequestHeadersKb'
>

const KIB = 1024
const MAX_HEADERS_KIB = 60
const MAX_HEADERS = 100
/** A head that drips in is no head: the whole of it counts, not the last byte. */
const HEAD_DEADLINE_MS = 10_000
/** How long a closed connection may take to read its last answer. */
const LINGER_MS = 1000

/** Streams of one connection: of somebody unknown, and of the own program or another sidecar. */
const STRANGER_STREAMS = 100
const TRUSTED_STREAMS = 1024

const WINDOWS: Http2Options = {
  initialStreamWindowSize: { value: 256 * KIB },
  initialConnectionWindowSize: { value: 1024 * KIB },
}

/** Between sidecars: heads repeat, and a larger table remembers them. */
const LINK_TABLE_BYTES = 64 * KIB

/** Of connections to others, whatever they may be. WebSocket may travel in them (RFC 8441). */
export const UPSTREAM_HTTP2: Http2Options = {
  hpackTableSize: { value: LINK_TABLE_BYTES },
  ...WINDOWS,
  allowConnect: true,
}

function limits(http2ProtocolOptions: Http2Options): ManagerLimits {
  return {
    commonHttpProtocolOptions: { maxHeadersCount: { value: MAX_HEADERS } },
    httpProtocolOptions: { acceptHttp_10: true },
    http2ProtocolOptions: { ...http2ProtocolOptions, ...WINDOWS, allowConnect: true },
    maxRequestHeadersKb: { value: MAX_HEADERS_KIB },
    streamIdleTimeout: duration(0),
    requestHeadersTimeout: duration(HEAD_DEADLINE_MS),
    delayedCloseTimeout: duration(LINGER_MS),
  }
}

/** Of the pod's own program. */
export const FROM_PROGRAM = limits({ maxConcurrentStreams: { value: TRUSTED_STREAMS } })

/** Of another sidecar, by mutual TLS. */
export const OVER_LINK = limits({
  hpackTableSize: { value: LINK_TABLE_BYTES },
  maxConcurrentStreams: { value: TRUSTED_STREAMS },
})

/** Of whoever comes in plain text. */
export const FROM_STRANGER = limits({ maxConcurrentStreams: { value: STRANGER_STREAMS } })
