/** What a configuration says about HTTP itself on one side, compiled: plain values for codecs, streams and pools. Leaf. */

export interface Http1Settings {
  acceptHttp10: boolean
  /** Host of an HTTP/1.0 request that names none; '': the address that was dialled. */
  defaultHostForHttp10: string
  /** Towards an upstream: it takes trailers of requests. Those of answers go to clients that ask for them. */
  enableTrailers: boolean
}

/** `null`: the codec's own default. */
export interface Http2Settings {
  hpackTableBytes: number | null
  maxConcurrentStreams: number | null
  streamWindowBytes: number | null
  connectionWindowBytes: number | null
  /** Extended CONNECT (RFC 8441). */
  allowConnect: boolean
  maxConsecutiveEmptyFrames: number | null
  maxPriorityFramesPerStream: number | null
  maxWindowUpdatesPerDataFrame: number | null
  maxOutboundControlFrames: number | null
  /** A message that is malformed ends its stream, not the connection. */
  streamErrorOnInvalidMessage: boolean | null
  keepalive: { intervalMs: number; timeoutMs: number } | null
}

/** Of any connection; 0 or Infinity: no limit. */
export interface CommonSettings {
  maxConnectionDurationMs: number
  maxHeaders: number
  maxStreamDurationMs: number
  maxRequestsPerConnection: number
  underscores: 'allow' | 'reject' | 'drop'
}

export interface DownstreamProtocol {
  codec: 'auto' | 'http1' | 'http2'
  http1: Http1Settings
  http2: Http2Settings
  common: CommonSettings
  /** By type in lower case (`websocket`, `connect`): whether it is allowed; `null`: all but CONNECT are. */
  upgrades: ReadonlyMap<string, boolean> | null
  streamIdleTimeoutMs: number
  requestTimeoutMs: number
  drainTimeoutMs: number
  delayedCloseTimeoutMs: number
  mergeSlashes: boolean
  escapedSlashes: 'keep' | 'reject' | 'redirect' | 'unescape'
  /** Bytes that may wait for the other side; `null`: the default. */
  bufferLimitBytes: number | null
}

export interface UpstreamProtocol {
  /** `downstream`: as the request came. */
  codec: 'auto' | 'http1' | 'http2' | 'downstream'
  http1: Http1Settings
  http2: Http2Settings
  common: CommonSettings
  bufferLimitBytes: number | null
  /** Under way at a time. */
  maxRetries: number
  /** Share of the requests under way that may be retries, in percent; `null`: maxRetries counts. */
  retryBudget: { percent: number; minConcurrency: number } | null
}

/** Of one route. */
export interface RouteProtocol {
  /** `null`: as the connection manager says. */
  idleTimeoutMs: number | null
  maxStreamDurationMs: number | null
  /** Upper bound for grpc-timeout, and its default; `null` or 0: it counts as it stands. */
  maxGrpcTimeoutMs: number | null
  /** By upgrade type in lower case: whether it is allowed here. */
  upgrades: ReadonlyMap<string, boolean>
  /** CONNECT ends here, and its payload goes on as TCP. */
  terminatesConnect: boolean
}
