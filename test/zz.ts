import http from 'node:http'
import { createPlane, forward, httpListener, listen, routes, staticCluster } from './helpers/data-plane.ts'
const app = http.createServer((q,r)=>q.pipe(r))
const ap = await listen(app)
const { plane, port } = createPlane()
plane.setClusters([staticCluster('c', ap)])
plane.setRoutes([routes('r', forward('c'))])
await plane.setListeners([httpListener('http', { rds: 'r' })])
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
for (const size of [0,1,5,1000,70_000,3]) {
 await new Promise<void>((resolve, reject) => {
      const req = http.request({ port: port('http'), host: '127.0.0.1', method: 'POST', agent, path: '/echo' }, (res) => {
        res.resume(); res.on('end', () => resolve())
      })
      req.on('error', reject)
      req.end(Buffer.alloc(size,'x'))
    })
}
console.error('done')
agent.destroy()
await plane.drain(0)
console.error('drained')
app.closeAllConnections()
app.close()
console.error('closed')
const i = setInterval(()=>{ console.error(process.getActiveResourcesInfo(), process.cpuUsage().user, plane.listenerStats()); for (const h of (process as any)._getActiveHandles()) console.error(h.constructor.name, h.fd, h.destroyed, h.remotePort)}, 1000); i.unref()
setTimeout(()=>process.exit(9),4500).unref()
