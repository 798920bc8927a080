// Charges a user's card: asks user-db for the card, answers with a receipt.
import { text } from 'node:stream/consumers'
import { call, serve } from './service.mjs'

let receipts = 0

serve('payment', {
  'POST /charge': async (request) => {
    const { user, cents } = JSON.parse(await text(request))
    const { card } = await call(`http://user-db-service:9090/users?id=${user}`, request)
    return { receipt: ++receipts, cents, card: `**** ${card.slice(-4)}` }
  },
  // says back what it was sent: for experiments that look for a word on the wire
  'GET /echo': async (request) => ({ word: request.headers['x-word'] ?? '' }),
})
