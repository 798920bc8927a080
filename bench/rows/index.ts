/** The rows by name, in the order in which they run, and which of them each mode measures. */
import type { RowNames } from '../options.ts'
import { bodies } from './bodies.ts'
import { connections, handshakes } from './connections.ts'
import { features } from './features.ts'
import { grpc } from './grpc.ts'
import { hop } from './hop.ts'
import { http2 } from './http2.ts'
import { latency } from './latency.ts'
import { memory } from './memory.ts'
import { MESH_ROWS } from './mesh/index.ts'
import { plain } from './plain.ts'
import type { Row } from './row.ts'
import { start } from './start.ts'
import { tcp } from './tcp.ts'

export const ROWS: Readonly<Record<string, Row>> = {
  hop,
  features,
  plain,
  latency,
  bodies,
  http2,
  grpc,
  tcp,
  connections,
  handshakes,
  memory,
  start,
  ...MESH_ROWS,
}

const all = Object.keys(ROWS)
export const ROW_NAMES: RowNames = {
  all,
  byMode: { quick: ['hop', 'latency', 'bodies', 'handshakes', 'start'], default: all, full: all },
}
