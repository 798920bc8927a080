/**
 * How glibc's malloc is told to give memory back, for processes of which many run. One arena: what V8's threads need to
 * compile would stay in one of each, 20 to 30 MiB a busy sidecar on Node 24. Thresholds at their defaults, but named: else
 * they grow with the largest block ever freed, and what the start has needed stays too. Source: mallopt(3).
 */
export const MALLOC_ENVIRONMENT: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_TRIM_THRESHOLD_: '131072',
  MALLOC_MMAP_THRESHOLD_: '131072',
}
