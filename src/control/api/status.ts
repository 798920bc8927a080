/** What the control plane can tell of itself, its proxies, its certificates and its services; and tokens. */
import type { ProxyList, TokenResponse } from '../../client/contract.ts'
import { asName, asObject, queryInteger } from './body.ts'
import { ProblemError } from './problem.ts'
import type { Route } from './router.ts'

const MAX_WAIT_MS = 600_000

export const statusRoutes: readonly Route[] = [
  { method: 'GET', path: '/v1/info', handle: (_request, context) => context.info() },
  {
    method: 'GET',
    path: '/v1/proxies',
    handle: (_request, { ads, store }): ProxyList => ({ revision: store.revision, items: ads.status() }),
  },
  {
    method: 'GET',
    path: '/v1/delivery',
    query: ['revision', 'timeoutMs'],
    handle: ({ query }, { ads, store }) => {
      const revision = queryInteger(query, 'revision', Number.MAX_SAFE_INTEGER) ?? store.revision
      if (revision > store.revision)
        throw new ProblemError('bad_request', `revision ${revision} does not exist yet; the last is ${store.revision}`)
      return ads.waitForDelivery(revision, queryInteger(query, 'timeoutMs', MAX_WAIT_MS) ?? 0)
    },
  },
  { method: 'GET', path: '/v1/certificates', handle: (_request, { ca }) => ca.certificates() },
  { method: 'GET', path: '/v1/services', handle: (_request, { registry }) => registry.services() },
  {
    method: 'POST',
    path: '/v1/tokens',
    handle: (request, { ca }): TokenResponse => {
      const body = asObject(request.body)
      const wanted = {
        pod: asName(body['pod'], 'pod'),
        namespace: asName(body['namespace'], 'namespace'),
        serviceAccount: asName(body['serviceAccount'], 'serviceAccount'),
      }
      try {
        return { token: ca.issueToken(wanted) }
      } catch (error) {
        // names that make no identity, or the control plane's own
        if (error instanceof TypeError) throw new ProblemError('bad_request', error.message)
        throw error
      }
    },
  },
]
