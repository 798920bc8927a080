/** What a sidecar does beside relaying: the same names in configurations, tables and charts. */
export interface Features {
  accessLog: boolean
  /** x-request-id and trace headers. */
  tracing: boolean
  /** RBAC of the accepting side, by the caller's certificate. */
  policy: boolean
  /** A dozen routes that do not match before the one that does, by host name; deadlines. */
  routes: boolean
}

/** Metrics cannot be switched off. */
export const BARE: Features = { accessLog: false, tracing: false, policy: false, routes: false }
export const EVERYTHING: Features = { accessLog: true, tracing: true, policy: true, routes: true }
