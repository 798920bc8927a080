/** Row `tcp`: opaque bytes, 1 KiB there and back, through a plain hop and through pairs with mutual TLS. */
import { HAPROXY_H1 } from '../names.ts'
import type { SubjectName } from '../subjects.ts'
import { closedRow } from './closed-row.ts'
import type { Row } from './row.ts'
import { fromJob } from './row.ts'

const NAMES: readonly SubjectName[] = ['direct', 'one-bare', 'bare', 'haproxy-plain', 'haproxy-h1']
const SIZES = { quick: { reps: 1, seconds: 1 }, default: { reps: 5, seconds: 1 }, full: { reps: 7, seconds: 4 } }

export const tcp: Row = (context) =>
  closedRow(context, {
    row: 'tcp',
    title: 'TCP, 1 KiB there and back, own generator',
    subjects: { quick: NAMES, default: NAMES, full: NAMES },
    cells: (context.plan.connections ?? [1, 32]).map((connections) => ({ cell: `c=${connections}`, connections })),
    sizes: SIZES,
    anchor: HAPROXY_H1,
    load: ({ name, ports: { tcp: port } }, { connections }, seconds) =>
      port === undefined
        ? Promise.reject(new Error(`${name} has no TCP port`))
        : fromJob(context.stage.load.requests({ protocol: 'tcp', port, connections, seconds })),
  })
