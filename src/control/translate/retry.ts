/**
 * Retries as Envoy's RetryPolicy. Pure. Source: Istio 1.30, pilot/pkg/networking/core/route/retry/retry.go.
 * `retriable-status-codes` stands in the default set without any code, as it does in Istio: it retries nothing.
 */
import { parseDurationMs } from '../../config/values.ts'
import type { envoy } from '../../xds/generated/xds.js'
import { EXTENSION, pack } from '../../xds/type-urls.ts'
import { duration } from './resource.ts'
import type { HttpRetry } from './spec.ts'

type RetryPolicy = envoy.config.route.v3.RetryPolicy

const DEFAULT_RETRY_ON = 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes'
const DEFAULT_RETRIES = 2
const HOST_SELECTION_ATTEMPTS = 5

const AVOID_PREVIOUS_HOSTS: RetryPolicy = {
  retryHostPredicate: [
    { name: 'envoy.retry_host_predicates.previous_hosts', typedConfig: pack(EXTENSION.previousHosts, {}) },
  ],
  hostSelectionRetryMaxAttempts: HOST_SELECTION_ATTEMPTS,
}

export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  retryOn: DEFAULT_RETRY_ON,
  numRetries: { value: DEFAULT_RETRIES },
  ...AVOID_PREVIOUS_HOSTS,
}

/** `undefined`: no retries, as with a block that names no attempts. A per-try timeout that the route's own timeout (0: none) would cut first is left out. */
export function retryPolicy(retries: HttpRetry | undefined, routeTimeoutMs: number): RetryPolicy | undefined {
  if (retries === undefined) return DEFAULT_RETRY_POLICY
  const { attempts = 0 } = retries
  if (attempts === 0) return undefined
  const perTryTimeoutMs = retries.perTryTimeout === undefined ? 0 : parseDurationMs(retries.perTryTimeout)
  const timesTry = perTryTimeoutMs > 0 && (routeTimeoutMs === 0 || perTryTimeoutMs < routeTimeoutMs)
  return {
    ...retryOn(retries.retryOn),
    numRetries: { value: attempts },
    ...(retries.retryIgnorePreviousHosts === false ? {} : AVOID_PREVIOUS_HOSTS),
    ...(timesTry ? { perTryTimeout: duration(perTryTimeoutMs) } : {}),
    ...(retries.backoff === undefined
      ? {}
      : { retryBackOff: { baseInterval: duration(parseDurationMs(retries.backoff)) } }),
  }
}

/** Numbers among the conditions are status codes. */
function retryOn(text: string | undefined): RetryPolicy {
  if (text === undefined || text === '') return { retryOn: DEFAULT_RETRY_ON }
  const parts = text.split(',').filter((part) => part !== '')
  const codes = parts.filter((part) => /^\d+$/.test(part)).map(Number)
  const conditions = parts.filter((part) => !/^\d+$/.test(part))
  return { retryOn: conditions.join(','), ...(codes.length > 0 ? { retriableStatusCodes: codes } : {}) }
}
