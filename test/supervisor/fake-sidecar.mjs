// The sidecar's twin for tests of the supervisor: ready at once, proxies nothing, ends as a sidecar does.
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'

const bootstrap = JSON.parse(readFileSync(process.argv[process.argv.indexOf('--bootstrap') + 1], 'utf8'))
writeFileSync(bootstrap.namesFile, JSON.stringify({ names: {} }))
createServer((_request, response) => response.end('LIVE\n')).listen(bootstrap.adminSocket)
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
process.on('SIGTERM', () => process.exit(0))
