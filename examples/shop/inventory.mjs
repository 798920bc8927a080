// What is in stock, and at which price.
import { serve } from './service.mjs'

const items = [
  { name: 'tea', cents: 450 },
  { name: 'cups', cents: 1290 },
  { name: 'honey', cents: 725 },
]

serve('inventory', {
  'GET /stock': async () => ({ items }),
  'GET /reserve': async (request, url) => {
    const item = items.find((candidate) => candidate.name === url.searchParams.get('item'))
    return item ?? [404, { error: 'no such item' }]
  },
})
