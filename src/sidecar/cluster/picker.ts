/** A load balancing policy: which of several healthy endpoints is next. */
import type { Endpoint } from './endpoint.ts'

export interface Picker {
  /** `endpoints` is not empty. */
  pick(endpoints: readonly Endpoint[]): Endpoint
}
