// Takes an item from stock, has it paid. Runs as v1 and v2, told apart by the answer's `checkout`.
import { VERSION, call, serve } from './service.mjs'

serve('checkout', {
  'GET /checkout': async (request, url) => {
    const item = url.searchParams.get('item') ?? 'tea'
    const user = url.searchParams.get('user') ?? '1'
    const reserved = await call(`http://inventory-service:8080/reserve?item=${encodeURIComponent(item)}`, request)
    const payment = await call('http://payment-service:8080/charge', request, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user, cents: reserved.cents }),
    })
    return { checkout: VERSION, item, receipt: payment.receipt }
  },
})
