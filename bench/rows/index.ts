/** The rows by name, in the order in which they run, and which of them each mode measures. */
import type { RowNames } from '../options.ts'
import { hop } from './hop.ts'
import type { Row } from './row.ts'

export const ROWS: Readonly<Record<string, Row>> = { hop }
export const ROW_NAMES: RowNames = { all: ['hop'], byMode: { quick: ['hop'], default: ['hop'], full: ['hop'] } }
