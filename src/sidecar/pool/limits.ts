/** Circuit limits of a cluster and what counts against them, shared by the pools of its endpoints (Envoy: circuit_breakers). */
export interface Limits {
  maxConnections: number
  maxPending: number
  maxRequests: number
  maxRetries: number
  /** Of the requests under way may be retries, or `minRetries` of them; -1: `maxRetries` counts. */
  retryPercent: number
  minRetries: number
  numConnections: number
  numPending: number
  numRequests: number
  numRetries: number
}

/**
 * Whether another retry may be under way: each adds load to what is in trouble already. A share of the requests, or a
 * fixed number (Envoy: retry_budget).
 */
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
