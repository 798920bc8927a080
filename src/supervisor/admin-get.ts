/** A yes-or-no question at a sidecar's admin socket. */
import { request as httpRequest } from 'node:http'

/** Whether GET `path` is answered 200 in time; anything else, nobody there too, is a no. */
export function answersOk(socketPath: string, path: string, timeoutMs: number): Promise<boolean> {
  return new Promise((done) => {
    const request = httpRequest({ socketPath, path, timeout: timeoutMs, agent: false }, (response) => {
      response.resume()
      done(response.statusCode === 200)
    })
    request.on('error', () => done(false))
    request.on('timeout', () => request.destroy())
    request.end()
  })
}
