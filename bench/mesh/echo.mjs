// The benchmark's server: 1 KiB, and its version in a header. It must cost little beside the proxies.
import http from 'node:http'

const body = Buffer.alloc(1024, 'x')
const headers = { 'content-type': 'text/plain', 'content-length': body.length, 'x-version': process.env.VERSION }

http
  .createServer((request, response) => {
    request.resume()
    response.writeHead(200, headers)
    response.end(body)
  })
  .listen(Number(process.env.PORT ?? 8080), '127.0.0.1')
