/**
 * How many retries a cluster may have under way: each adds load to what is in trouble already. A share of the requests,
 * or a fixed number (Envoy: circuit_breakers, retry_budget).
 */
import type { Limits } from './pool.ts'

export function mayRetry({
  retryPercent,
  minRetries,
  maxRetries,
  numRetries,
  numRequests,
  numPending,
}: Limits): boolean {
  if (retryPercent < 0) return numRetries < maxRetries
  return numRetries < Math.max(minRetries, Math.floor(((numRequests + numPending) * retryPercent) / 100))
}
