/**
 * Options of HTTP, compiled. In: decoded xDS of either side. Out: settings as codec/protocol.ts has them; throws an Error
 * for what cannot be honoured. Defaults are Envoy's.
 */
import type { CommonSettings, Http1Settings, Http2Settings, UpstreamProtocol } from '../codec/protocol.ts'
import { envoy } from '../../xds/generated/xds.js'
import { durationMs } from './duration.ts'

type Http1 = envoy.config.core.v3.Http1ProtocolOptions
type Http2 = envoy.config.core.v3.Http2ProtocolOptions
type Common = envoy.config.core.v3.HttpProtocolOptions
type Upstream = envoy.extensions.upstreams.http.v3.HttpProtocolOptions
type Thresholds = envoy.config.cluster.v3.CircuitBreakers.Thresholds

const { HeadersWithUnderscoresAction: UNDERSCORES } = envoy.config.core.v3.HttpProtocolOptions
const DEFAULT_MAX_HEADERS = 100
const DEFAULT_KEEPALIVE_TIMEOUT_MS = 10_000
const DEFAULT_RETRY_PERCENT = 20
const DEFAULT_RETRY_CONCURRENCY = 3

export function compileHttp1(options: Http1 | null | undefined): Http1Settings {
  return {
    acceptHttp10: options?.acceptHttp_10 ?? false,
    defaultHostForHttp10: options?.defaultHostForHttp_10 ?? '',
    enableTrailers: options?.enableTrailers ?? false,
  }
}

export function compileHttp2(options: Http2 | null | undefined): Http2Settings {
  const keepalive = options?.connectionKeepalive
  return {
    hpackTableBytes: options?.hpackTableSize?.value ?? null,
    maxConcurrentStreams: options?.maxConcurrentStreams?.value ?? null,
    streamWindowBytes: options?.initialStreamWindowSize?.value ?? null,
    connectionWindowBytes: options?.initialConnectionWindowSize?.value ?? null,
    allowConnect: options?.allowConnect ?? false,
    maxConsecutiveEmptyFrames: options?.maxConsecutiveInboundFramesWithEmptyPayload?.value ?? null,
    maxPriorityFramesPerStream: options?.maxInboundPriorityFramesPerStream?.value ?? null,
    maxWindowUpdatesPerDataFrame: options?.maxInboundWindowUpdateFramesPerDataFrameSent?.value ?? null,
    maxOutboundControlFrames: options?.maxOutboundControlFrames?.value ?? null,
    streamErrorOnInvalidMessage: options?.overrideStreamErrorOnInvalidHttpMessage?.value ?? null,
    keepalive: keepalive
      ? {
          intervalMs: durationMs(keepalive.interval, 0),
          timeoutMs: durationMs(keepalive.timeout, DEFAULT_KEEPALIVE_TIMEOUT_MS),
        }
      : null,
  }
}

export function compileCommon(options: Common | null | undefined): CommonSettings {
  return {
    maxConnectionDurationMs: durationMs(options?.maxConnectionDuration, 0),
    maxHeaders: options?.maxHeadersCount?.value ?? DEFAULT_MAX_HEADERS,
    maxStreamDurationMs: durationMs(options?.maxStreamDuration, 0),
    maxRequestsPerConnection: options?.maxRequestsPerConnection?.value ?? 0,
    underscores: underscoresOf(options?.headersWithUnderscoresAction ?? UNDERSCORES.ALLOW),
  }
}

function underscoresOf(action: number): CommonSettings['underscores'] {
  if (action === UNDERSCORES.REJECT_REQUEST) return 'reject'
  return action === UNDERSCORES.DROP_HEADER ? 'drop' : 'allow'
}

export function compileUpstream(
  options: Upstream | undefined,
  thresholds: Thresholds | undefined,
  bufferLimitBytes: number | undefined,
): UpstreamProtocol {
  const { explicitHttpConfig: explicit, useDownstreamProtocolConfig: same, autoConfig: auto } = options ?? {}
  const config = explicit ?? same ?? auto
  const isHttp2 = explicit?.http2ProtocolOptions !== undefined && explicit.http2ProtocolOptions !== null
  const budget = thresholds?.retryBudget
  return {
    codec: same ? 'downstream' : auto ? 'auto' : isHttp2 ? 'http2' : 'http1',
    http1: compileHttp1(config?.httpProtocolOptions),
    http2: compileHttp2(config?.http2ProtocolOptions),
    common: compileCommon(options?.commonHttpProtocolOptions),
    bufferLimitBytes: bufferLimitBytes ?? null,
    maxRetries: thresholds?.maxRetries?.value ?? Infinity,
    // who says neither has the budget: a fixed number is too many for few requests, or too few for many
    retryBudget:
      budget || !thresholds?.maxRetries
        ? {
            percent: budget?.budgetPercent?.value ?? DEFAULT_RETRY_PERCENT,
            minConcurrency: budget?.minRetryConcurrency?.value ?? DEFAULT_RETRY_CONCURRENCY,
          }
        : null,
  }
}
