/** All requests of the corpus. `npx tsx test/corpus/http1/requests.ts` prints them, one JSON object a line. */
import { pathToFileURL } from 'node:url'
import { benign } from './benign.ts'
import { chunked } from './chunked.ts'
import { connections } from './connection.ts'
import { fields } from './fields.ts'
import { framing } from './framing.ts'
import { startLines } from './start-line.ts'
import { targets } from './target.ts'

export const requests = [...startLines, ...targets, ...fields, ...framing, ...chunked, ...connections, ...benign]

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  for (const row of requests) console.log(JSON.stringify(row))
