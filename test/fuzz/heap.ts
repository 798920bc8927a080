/** What lives on the heap after a collection: growth between two of these is a leak, or a table that fills. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

export function liveHeapBytes(): number {
  collect()
  return process.memoryUsage().heapUsed
}
