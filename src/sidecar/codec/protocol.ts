/** What a configuration says about HTTP itself on one side, compiled: plain values for codecs, streams and pools. Leaf. */

export interface Http1Settings {
  /** Absolute-form targets are read as requests to that host. */
  allowAbsoluteUrl: boolean
  acceptHttp10: boolean
  /** Host of an HTTP/1.0 request that names none; '': such a request is refused. */
  defaultHostForHttp10: string
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
  /** Lower case: `websocket`, `connect`. */
  upgrades: readonly string[]
  streamIdleTimeoutMs: number
  requestTimeoutMs: number
  drainTimeoutMs: number
  delayedCloseTimeoutMs: number
  /** `null`: where the control plane says nothing. */
  normalizePath: boolean | null
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
  maxRetries: number
  /** Share of the requests under way that may be retries, in percent; `null`: maxRetries counts. */
  retryBudget: { percent: number; minConcurrency: number } | null
}

/** Of one route. */
export interface RouteProtocol {
  /** `null`: as the connection manager says. */
  idleTimeoutMs: number | null
  maxStreamDurationMs: number | null
  /** Upper bound for grpc-timeout; `null`: the field is not looked at; 0: it counts as it stands. */
  maxGrpcTimeoutMs: number | null
  /** By upgrade type in lower case: whether it is allowed here. */
  upgrades: ReadonlyMap<string, boolean>
  /** CONNECT ends here, and its payload goes on as TCP. */
  terminatesConnect: boolean
}
