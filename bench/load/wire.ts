/** What the generator needs of a protocol: slots that take one request at a time. */
import type { RequestsJob } from './job.ts'

/** Called once per request: what was wrong with the answer, or undefined. */
export type Done = (slot: Slot, wrong: string | undefined) => void

export interface Slot {
  send(): void
}

export interface Wire {
  readonly slots: readonly Slot[]
  close(): void
}

export type WireMaker = (job: RequestsJob, done: Done) => Promise<Wire>
