/** What the policies say of a request that nobody has sent. */
import type { AuthzCheck } from '../../client/contract.ts'
import { normalizePath } from '../../lib/normalize-path.ts'
import { checkAccess } from '../translate/access-check.ts'
import { queryInteger } from './body.ts'
import type { ApiContext } from './context.ts'
import { ProblemError } from './problem.ts'
import type { ApiRequest, Route } from './router.ts'

export const authzRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/authz/check',
    query: ['from', 'to', 'namespace', 'method', 'path', 'host', 'port'],
    handle: authzCheck,
  },
]

function authzCheck({ query }: ApiRequest, { registry }: ApiContext): AuthzCheck {
  const snapshot = registry.snapshot()
  const port = queryInteger(query, 'port', 65_535)
  const items = checkAccess(snapshot, {
    from: needed(query, 'from'),
    to: needed(query, 'to'),
    namespace: query.get('namespace') ?? 'default',
    method: query.get('method') ?? 'GET',
    path: pathOf(query),
    host: query.get('host') ?? '',
    ...(port === undefined ? {} : { port }),
  })
  if (typeof items === 'string') throw new ProblemError('not_found', items)
  return { revision: snapshot.revision, items }
}

function pathOf(query: ReadonlyMap<string, string>): string {
  const path = query.get('path') ?? '/'
  const normal = path.startsWith('/') ? normalizePath(path) : undefined
  if (normal === undefined) throw new ProblemError('bad_request', `"${path}" is not a path: it begins with a slash`)
  return normal
}

function needed(query: ReadonlyMap<string, string>, name: string): string {
  const value = query.get(name)
  if (value === undefined || value === '') throw new ProblemError('bad_request', `query parameter "${name}" is missing`)
  return value
}
