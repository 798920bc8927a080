/** `npm run bench:micro [-- WORD]`: what the parts of a request's path cost by themselves; only cases with WORD in the name. */
import { bench, do_not_optimize as keep, run } from 'mitata'
import { cases as accessLog } from './access-log.ts'
import { cases as balancing } from './balancing.ts'
import { cases as hpack } from './hpack.ts'
import { cases as http1 } from './http1.ts'
import { cases as routing } from './routing.ts'

const [word = ''] = process.argv.slice(2)
const chosen = [...http1, ...hpack, ...routing, ...balancing, ...accessLog].filter(({ name }) =>
  name.toLowerCase().includes(word.toLowerCase()),
)
if (chosen.length === 0) {
  process.stderr.write(`bench:micro: no case has "${word}" in its name\n`)
  process.exit(64)
}
for (const { name, run: work } of chosen) bench(name, () => keep(work()))
await run()
process.exit(0)
