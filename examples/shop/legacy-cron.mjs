// A program outside the mesh: no sidecar, plain HTTP to the address that Kubernetes publishes in its environment, else to
// the name. Prints what became of each call; under STRICT mutual TLS they are refused.
import http from 'node:http'

const host = process.env.CHECKOUT_SERVICE_SERVICE_HOST ?? 'checkout-service'
const port = process.env.CHECKOUT_SERVICE_SERVICE_PORT ?? 8080

function report(text) {
  console.log(`${new Date().toISOString()} ${text}`)
}

function callCheckout() {
  const request = http.get({ host, port, path: '/version', agent: false, timeout: 2000 }, (response) => {
    let body = ''
    response.setEncoding('utf8')
    response.on('data', (part) => (body += part))
    response.on('end', () =>
      report(`${response.statusCode === 200 ? 'ok' : 'failed'} ${response.statusCode} ${body.trim()}`),
    )
    response.on('error', (error) => report(`refused ${error.code ?? error.message}`))
  })
  request.on('timeout', () => request.destroy(new Error('timeout')))
  request.on('error', (error) => report(`refused ${error.code ?? error.message}`))
}

setInterval(callCheckout, 1000)
