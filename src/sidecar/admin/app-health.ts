/**
 * Probes of the program, made from beside it: no policy of the mesh stands between, and the kubelet needs no way into the
 * pod. In: what to ask. Out: '' where the program is well, else why not, in a line. Source: Istio's pilot-agent.
 */
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import type { AppProbe } from '../../xds/bootstrap.ts'

/** Never rejects. */
export async function askApp({ host, port, http: get, timeoutMs }: AppProbe): Promise<string> {
  try {
    return await (get === undefined ? tcp(host, port, timeoutMs) : web(host, port, get, timeoutMs))
  } catch (error) {
    // a path or header that no request can have
    return reasonOf(error as Error)
  }
}

function tcp(host: string, port: number, timeoutMs: number): Promise<string> {
  return new Promise((done) => {
    const socket = net.connect({ host, port })
    const end = (fault: string): void => {
      socket.destroy()
      done(fault)
    }
    socket.setTimeout(timeoutMs, () => end(`no connection within ${timeoutMs} ms`))
    socket.once('connect', () => end('')).once('error', (error) => end(reasonOf(error)))
  })
}

function web(host: string, port: number, get: NonNullable<AppProbe['http']>, timeoutMs: number): Promise<string> {
  const headers: Record<string, string> = { 'user-agent': 'kube-probe/pocketmesh', connection: 'close' }
  for (const { name, value } of get.headers) headers[name.toLowerCase()] = value
  const path = get.path.startsWith('/') ? get.path : `/${get.path}`
  // the kubelet checks no certificate: a program's own is often for another name
  const options = { host, port, path, headers, agent: false, rejectUnauthorized: false }
  return new Promise((done) => {
    const request = (get.scheme === 'https' ? https : http).request(options, (response) => {
      response.resume()
      const { statusCode = 0 } = response
      // a redirect is an answer too; it is not followed
      end(statusCode >= 200 && statusCode < 400 ? '' : `status ${statusCode}`)
    })
    const end = (fault: string): void => {
      clearTimeout(late)
      request.destroy()
      done(fault)
    }
    const late = setTimeout(() => end(`no answer within ${timeoutMs} ms`), timeoutMs)
    request.on('error', (error) => end(reasonOf(error)))
    request.end()
  })
}

/** In one line, and never '': that would mean well. */
function reasonOf({ message, name }: Error): string {
  return message.replaceAll(/\s+/g, ' ').trim() || name
}
