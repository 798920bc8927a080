/**
 * What a configuration says about HTTP/2 (codec/protocol.ts) as limits and budgets of a session. What it leaves open has
 * our defaults, which are the stricter ones of Envoy's advice for the edge.
 */
import type { Http2Settings } from '../protocol.ts'
import type { AbuseBudgets } from './abuse.ts'
import type { SessionLimits } from './options.ts'

/** No window grows beyond these: one slow reader leaves at most its stream's behind, many the bound of `maxHeldBytes`. */
const MAX_STREAM_WINDOW_BYTES = 1024 * 1024
const MAX_CONNECTION_WINDOW_BYTES = 3 * 1024 * 1024

export function sessionLimits(settings: Http2Settings): Partial<SessionLimits> {
  const { maxConcurrentStreams, hpackTableBytes, streamWindowBytes, connectionWindowBytes } = settings
  return {
    ...(maxConcurrentStreams === null ? {} : { maxConcurrentStreams }),
    ...(hpackTableBytes === null ? {} : { headerTableBytes: hpackTableBytes }),
    ...(streamWindowBytes === null
      ? {}
      : { streamWindowBytes, maxStreamWindowBytes: Math.max(streamWindowBytes, MAX_STREAM_WINDOW_BYTES) }),
    ...(connectionWindowBytes === null
      ? {}
      : {
          connectionWindowBytes,
          maxConnectionWindowBytes: Math.max(connectionWindowBytes, MAX_CONNECTION_WINDOW_BYTES),
        }),
    streamErrorOnMalformed: settings.streamErrorOnInvalidMessage ?? true,
    enableConnectProtocol: settings.allowConnect,
  }
}

/** `base` with the bursts that the configuration names instead. */
export function sessionBudgets(settings: Http2Settings, base: AbuseBudgets): AbuseBudgets {
  const { maxConsecutiveEmptyFrames, maxPriorityFramesPerStream, maxWindowUpdatesPerDataFrame } = settings
  const { maxOutboundControlFrames } = settings
  const burst = (own: AbuseBudgets['pings'], value: number | null): AbuseBudgets['pings'] =>
    value === null ? own : { ...own, burst: value }
  return {
    ...base,
    emptyFrames: burst(base.emptyFrames, maxConsecutiveEmptyFrames),
    priorities: burst(base.priorities, maxPriorityFramesPerStream),
    windowUpdates: burst(base.windowUpdates, maxWindowUpdatesPerDataFrame),
    maxQueuedControlFrames: maxOutboundControlFrames ?? base.maxQueuedControlFrames,
  }
}
