/**
 * Http2ProtocolOptions, as listeners and clusters have them, to limits of a session. What is absent has our defaults,
 * which are the stricter ones of Envoy's advice for the edge.
 */
import type { envoy } from '../xds/generated/xds.js'
import type { SessionLimits } from './codec/http2/options.ts'

type Options = envoy.config.core.v3.Http2ProtocolOptions

/** No window grows beyond these: what a slow reader leaves behind stays below 4 MiB a connection. */
const MAX_STREAM_WINDOW_BYTES = 1024 * 1024
const MAX_CONNECTION_WINDOW_BYTES = 3 * 1024 * 1024

export function compileHttp2(options: Options | null | undefined): Partial<SessionLimits> {
  const streams = options?.maxConcurrentStreams?.value
  const table = options?.hpackTableSize?.value
  const stream = options?.initialStreamWindowSize?.value
  const connection = options?.initialConnectionWindowSize?.value
  return {
    ...(streams === undefined ? {} : { maxConcurrentStreams: streams }),
    ...(table === undefined ? {} : { headerTableBytes: table }),
    ...(stream === undefined
      ? {}
      : { streamWindowBytes: stream, maxStreamWindowBytes: Math.max(stream, MAX_STREAM_WINDOW_BYTES) }),
    ...(connection === undefined
      ? {}
      : {
          connectionWindowBytes: connection,
          maxConnectionWindowBytes: Math.max(connection, MAX_CONNECTION_WINDOW_BYTES),
        }),
    ...(options?.allowConnect === true ? { enableConnectProtocol: true } : {}),
  }
}
