// Who is shopping: the public part of a user's record.
import { call, serve } from './service.mjs'

serve('user', {
  'GET /users/1': async (request) => {
    const { id, name } = await call('http://user-db-service:9090/users?id=1', request)
    return { id, name }
  },
})
