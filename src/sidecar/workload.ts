/** A workload as the telemetry labels name it; one frozen object per workload, shared by all its requests. */
export interface Workload {
  workload: string
  namespace: string
  app: string
  version: string
  canonicalService: string
  canonicalRevision: string
  cluster: string
}

export const UNKNOWN_WORKLOAD: Workload = Object.freeze({
  workload: 'unknown',
  namespace: 'unknown',
  app: 'unknown',
  version: 'unknown',
  canonicalService: 'unknown',
  canonicalRevision: 'unknown',
  cluster: 'unknown',
})
