/** The rows that are run here, by their numbers in the plan. */
import type { Row } from './row.ts'
import { fuzz } from './rows/fuzz.ts'
import { hostile } from './rows/hostile.ts'
import { http2Attacks } from './rows/http2.ts'
import { overload } from './rows/overload.ts'
import { rolling } from './rows/rolling.ts'
import { slow } from './rows/slow.ts'
import { toxic } from './rows/toxic.ts'
import { upstreams } from './rows/upstreams.ts'

export const ROWS: readonly Row[] = [overload, upstreams, rolling, hostile, fuzz, slow, http2Attacks, toxic]
