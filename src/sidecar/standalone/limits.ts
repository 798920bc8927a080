/**
 * Fields that are compiled and of which the data path honours nothing yet, or one value only. In: a field and its value.
 * Out: why it is refused. A line goes when its reader comes: until then a bootstrap file must not believe in it.
 */

type Rule = (value: unknown, path: string) => string | undefined

const NOT_YET: Rule = () => 'not supported'
const isFalse = (value: unknown): boolean => (value as { value?: boolean } | undefined)?.value === false
const unlessFalse =
  (why: string): Rule =>
  (value) =>
    isFalse(value) ? why : undefined

const HTTP1 = 'envoy.config.core.v3.Http1ProtocolOptions'
const HTTP2 = 'envoy.config.core.v3.Http2ProtocolOptions'
const COMMON = 'envoy.config.core.v3.HttpProtocolOptions'
const MANAGER = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'
const ACTION = 'envoy.config.route.v3.RouteAction'
const THRESHOLDS = 'envoy.config.cluster.v3.CircuitBreakers.Thresholds'

const RULES: Readonly<Record<string, Rule>> = {
  'envoy.config.listener.v3.Listener.perConnectionBufferLimitBytes': NOT_YET,
  'envoy.config.cluster.v3.Cluster.perConnectionBufferLimitBytes': NOT_YET,
  [`${THRESHOLDS}.maxRetries`]: NOT_YET,
  [`${THRESHOLDS}.retryBudget`]: NOT_YET,
  [`${COMMON}.maxConnectionDuration`]: NOT_YET,
  [`${COMMON}.maxHeadersCount`]: NOT_YET,
  [`${COMMON}.maxStreamDuration`]: NOT_YET,
  [`${COMMON}.headersWithUnderscoresAction`]: NOT_YET,
  // towards an upstream it counts
  [`${COMMON}.maxRequestsPerConnection`]: (_, path) => (path.includes('listeners[') ? 'not supported' : undefined),
  [`${HTTP1}.allowAbsoluteUrl`]: unlessFalse('targets in absolute form are always read'),
  [`${HTTP1}.defaultHostForHttp_10`]: NOT_YET,
  [`${HTTP1}.enableTrailers`]: NOT_YET,
  [`${HTTP2}.overrideStreamErrorOnInvalidHttpMessage`]: NOT_YET,
  [`${HTTP2}.connectionKeepalive`]: NOT_YET,
  [`${MANAGER}.requestTimeout`]: NOT_YET,
  [`${MANAGER}.drainTimeout`]: NOT_YET,
  [`${MANAGER}.delayedCloseTimeout`]: NOT_YET,
  [`${MANAGER}.normalizePath`]: unlessFalse('paths are always brought into one form'),
  [`${MANAGER}.mergeSlashes`]: NOT_YET,
  [`${MANAGER}.pathWithEscapedSlashesAction`]: NOT_YET,
  [`${MANAGER}.UpgradeConfig.enabled`]: unlessFalse('an upgrade that the other side agrees to cannot be switched off'),
  [`${MANAGER}.UpgradeConfig.upgradeType`]: (value) =>
    String(value).toLowerCase() === 'connect' ? 'CONNECT is not supported here' : undefined,
  [`${ACTION}.idleTimeout`]: NOT_YET,
  [`${ACTION}.maxStreamDuration`]: NOT_YET,
  [`${ACTION}.maxGrpcTimeout`]: NOT_YET,
  [`${ACTION}.upgradeConfigs`]: NOT_YET,
}

/** Why `value` of this field of the message `type` is refused. */
export function whyRefused(type: string, key: string, value: unknown, path: string): string | undefined {
  return RULES[`${type}.${key}`]?.(value, path)
}
