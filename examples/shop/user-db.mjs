// Twin of user-db.py, for machines without python3.
import { serve } from './service.mjs'

const users = new Map([
  ['1', { id: 1, name: 'Ada', card: '4000123412341234' }],
  ['2', { id: 2, name: 'Grace', card: '4000567856785678' }],
])

console.log('python3 not found: the Node twin of user-db runs')
serve('user-db', {
  'GET /users': async (request, url) => users.get(url.searchParams.get('id')) ?? [404, { error: 'not found' }],
})
