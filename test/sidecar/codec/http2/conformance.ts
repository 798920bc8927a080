/** The whole conformance table; what a case is stands in cases.ts. */
import type { ConformanceCase } from './cases.ts'
import { abuses } from './conformance-abuses.ts'
import { frames } from './conformance-frames.ts'
import { messages } from './conformance-messages.ts'
import { framing, hpack, states } from './conformance-streams.ts'

export const CONFORMANCE: ConformanceCase[] = [...framing, ...hpack, ...states, ...frames, ...messages, ...abuses]
