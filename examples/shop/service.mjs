// What the shop's Node services share: a small JSON server, and calls that pass the trace headers on.
import http from 'node:http'

export const VERSION = process.env.VERSION ?? 'v1'

// The mesh can only join a request's hops into one trace if the program hands these on.
const PASSED_ON = /^(x-request-id|traceparent|tracestate|b3|x-b3-.+|x-ot-span-context|end-user)$/

/**
 * Serves `routes`: "METHOD /path" -> async (request, url) => object (JSON), string (HTML) or [status, object].
 * Every service answers /version.
 */
export function serve(name, routes) {
  const server = http.createServer(async (request, response) => {
    const url = new URL(request.url, 'http://service')
    let status = 200
    let answer
    try {
      const route = routes[`${request.method} ${url.pathname}`]
      if (url.pathname === '/version') answer = { text: `${name} ${VERSION}\n` }
      else if (route) answer = await route(request, url)
      else answer = [404, { error: 'not found' }]
    } catch (error) {
      answer = [502, { error: error.message }]
    }
    if (Array.isArray(answer)) [status, answer] = answer
    const [type, body] = encode(answer)
    response.writeHead(status, {
      'content-type': type,
      'x-version': VERSION,
      'content-length': Buffer.byteLength(body),
    })
    response.end(body)
  })
  const port = Number(process.env.PORT ?? 8080)
  server.listen(port, process.env.POD_IP ?? '127.0.0.1', () =>
    console.log(`${name} ${VERSION} listens on port ${port}`),
  )
  process.on('SIGTERM', () => server.close(() => process.exit(0)))
}

function encode(answer) {
  if (typeof answer === 'string') return ['text/html; charset=utf-8', answer]
  if (answer.text) return ['text/plain; charset=utf-8', answer.text]
  return ['application/json', JSON.stringify(answer)]
}

/** Calls another service on behalf of `request`; its JSON, or an error that names it. */
export async function call(url, request, init = {}) {
  const headers = { ...init.headers }
  for (const [name, value] of Object.entries(request.headers)) if (PASSED_ON.test(name)) headers[name] = value
  const response = await fetch(url, { ...init, headers })
  const text = await response.text()
  if (!response.ok) throw new Error(`${new URL(url).host} answered ${response.status}: ${text.slice(0, 120)}`)
  return JSON.parse(text)
}
