/** What an HTTP connection manager says about the protocol. In: decoded xDS. Out: settings; throws an Error for what cannot be honoured. */
import type { DownstreamProtocol } from '../codec/protocol.ts'
import { durationMs } from '../cluster/duration.ts'
import { compileCommon, compileHttp1, compileHttp2 } from '../cluster/protocol.ts'
import { envoy } from '../../xds/generated/xds.js'

type Manager = envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager

const { CodecType: CODEC, PathWithEscapedSlashesAction: SLASHES } =
  envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
const DEFAULT_STREAM_IDLE_MS = 300_000
/** A round trip to anywhere near: who had not heard of the end has sent its last request by then. */
const DEFAULT_DRAIN_MS = 100
const DEFAULT_DELAYED_CLOSE_MS = 1_000

export function compileDownstream(manager: Manager, bufferLimitBytes: number | null): DownstreamProtocol {
  const upgrades = (manager.upgradeConfigs ?? []).map((u): [string, boolean] => [
    (u.upgradeType ?? '').toLowerCase(),
    u.enabled?.value ?? true,
  ])
  return {
    codec: codecOf(manager.codecType ?? CODEC.AUTO),
    http1: compileHttp1(manager.httpProtocolOptions),
    http2: compileHttp2(manager.http2ProtocolOptions),
    common: compileCommon(manager.commonHttpProtocolOptions),
    upgrades: upgrades.length === 0 ? null : new Map(upgrades),
    streamIdleTimeoutMs: durationMs(manager.streamIdleTimeout, DEFAULT_STREAM_IDLE_MS),
    requestTimeoutMs: durationMs(manager.requestTimeout, 0),
    drainTimeoutMs: durationMs(manager.drainTimeout, DEFAULT_DRAIN_MS),
    delayedCloseTimeoutMs: durationMs(manager.delayedCloseTimeout, DEFAULT_DELAYED_CLOSE_MS),
    mergeSlashes: manager.mergeSlashes ?? false,
    escapedSlashes: slashesOf(manager.pathWithEscapedSlashesAction ?? 0),
    bufferLimitBytes,
  }
}

function codecOf(type: number): DownstreamProtocol['codec'] {
  if (type === CODEC.HTTP3) throw new Error('HTTP/3 is not supported')
  return type === CODEC.HTTP1 ? 'http1' : type === CODEC.HTTP2 ? 'http2' : 'auto'
}

function slashesOf(action: number): DownstreamProtocol['escapedSlashes'] {
  if (action === SLASHES.REJECT_REQUEST) return 'reject'
  if (action === SLASHES.UNESCAPE_AND_REDIRECT) return 'redirect'
  return action === SLASHES.UNESCAPE_AND_FORWARD ? 'unescape' : 'keep'
}
