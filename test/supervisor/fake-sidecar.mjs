// The sidecar's twin for tests of the supervisor: ready at once, proxies nothing, asks probes, ends as a sidecar does.
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'

const bootstrap = JSON.parse(readFileSync(process.argv[process.argv.indexOf('--bootstrap') + 1], 'utf8'))
writeFileSync(bootstrap.namesFile, JSON.stringify({ names: {} }))
createServer((request, response) => {
  const probe = bootstrap.appProbes?.[request.url]
  if (probe === undefined) {
    response.end('LIVE\n')
    return
  }
  const socket = connect(probe.port, probe.host)
  const end = (status) => {
    socket.destroy()
    response.writeHead(status).end()
  }
  socket.once('connect', () => end(200)).once('error', () => end(503))
}).listen(bootstrap.adminSocket)
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
process.on('SIGTERM', () => process.exit(0))
