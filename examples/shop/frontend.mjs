// The shop's door: a page for people, and /buy, one purchase through all the other services.
import { readFileSync } from 'node:fs'
import { call, serve } from './service.mjs'

const page = readFileSync(new URL('frontend.html', import.meta.url), 'utf8')

serve('frontend', {
  'GET /': async () => page,
  'GET /buy': async (request) => {
    const started = performance.now()
    const user = await call('http://user-service:8080/users/1', request)
    const stock = await call('http://inventory-service:8080/stock', request)
    const order = await call(
      `http://checkout-service:8080/checkout?user=${user.id}&item=${stock.items[0].name}`,
      request,
    )
    return { user: user.name, order, tookMs: Math.round(performance.now() - started) }
  },
})
