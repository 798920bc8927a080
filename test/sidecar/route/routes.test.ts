import t from 'tap'
import { HeadReader } from '../../../src/sidecar/codec/http1/head.ts'
import { Clusters, drawCluster } from '../../../src/sidecar/cluster/clusters.ts'
import { Exchange } from '../../../src/sidecar/exchange.ts'
import { type ForwardAction, redirectLocation } from '../../../src/sidecar/route/action.ts'
import { compileRoutes } from '../../../src/sidecar/route/compile.ts'
import { findRoute } from '../../../src/sidecar/route/table.ts'
import { forward, weighted, type XdsRoute, type XdsRoutes } from '../../helpers/data-plane.ts'

const clusters = new Clusters()

function parse(text: string): { x: Exchange; head: HeadReader['head'] } {
  const reader = new HeadReader('request')
  const bytes = Buffer.from(text, 'latin1')
  reader.read(bytes, 0, bytes.length)
  const { head } = reader
  const x = new Exchange()
  x.method = head.text(head.methodStart, head.methodEnd)
  x.path = head.text(head.targetStart, head.targetEnd)
  x.authority = head.getByName('host') ?? ''
  return { x, head }
}

void t.test('which virtual host answers for a Host', async (t) => {
  const hosts = (...domains: string[]): XdsRoutes => ({
    name: 'r',
    virtualHosts: domains.map((d) => ({ name: d, domains: [d], routes: [] })),
  })
  const table = compileRoutes(
    hosts(
      'reviews',
      'reviews:9080',
      '*.example.com',
      '*.a.example.com',
      'admin.*',
      '*',
      '240.240.0.5:9080',
      '[2001:2::5]:9080',
    ),
    clusters,
  )
  for (const [host, name] of [
    ['reviews', 'reviews'],
    ['REVIEWS:9080', 'reviews:9080'],
    ['reviews:1', '*'],
    ['b.example.com', '*.example.com'],
    ['b.a.example.com', '*.a.example.com'],
    ['.example.com', '*'],
    ['example.com', '*'],
    ['admin.local', 'admin.*'],
    ['240.240.0.5:9080', '240.240.0.5:9080'],
    ['[2001:2::5]:9080', '[2001:2::5]:9080'],
    ['', '*'],
  ] as const)
    t.equal(table.virtualHost(host)?.name, name, host)
  t.equal(
    compileRoutes({ ...hosts('reviews'), ignorePortInHostMatching: true }, clusters).virtualHost('reviews:1')?.name,
    'reviews',
  )
  t.equal(compileRoutes(hosts('reviews'), clusters).virtualHost('other'), undefined)
  t.throws(() => compileRoutes(hosts('a', 'a'), clusters), /two virtual hosts/)
})

void t.test('which route matches a request', async (t) => {
  const header = (name: string, stringMatch: object, more: object = {}): XdsRoute['match'] => ({
    prefix: '/',
    headers: [{ name, stringMatch, ...more }],
  })
  const query = (name: string, stringMatch?: object): XdsRoute['match'] => ({
    prefix: '/',
    queryParameters: [{ name, ...(stringMatch ? { stringMatch } : { presentMatch: true }) }],
  })
  const get = (path: string, more = '', method = 'GET'): string =>
    `${method} ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`
  const rows: [string, XdsRoute['match'], string, boolean][] = [
    ['a prefix is raw', { prefix: '/foo' }, get('/foobar'), true],
    ['a prefix without the case', { prefix: '/foo', caseSensitive: { value: false } }, get('/FOO/x'), true],
    ['a prefix with the case', { prefix: '/foo' }, get('/FOO'), false],
    ['a path leaves the query out', { path: '/foo' }, get('/foo?a=b'), true],
    ['a path is whole', { path: '/foo' }, get('/foo/'), false],
    ['a regex is whole', { safeRegex: { regex: '/a.c' } }, get('/abcd'), false],
    ['a regex leaves the query out', { safeRegex: { regex: '/a.c' } }, get('/abc?d'), true],
    ['a regex with flags', { safeRegex: { regex: '(?i)/ABC' } }, get('/abc'), true],
    ['a header exactly', header('x-user', { exact: 'jason' }), get('/', 'X-User: jason\r\n'), true],
    ['a header of another case', header('x-user', { exact: 'jason' }), get('/', 'X-User: Jason\r\n'), false],
    [
      'a header ignoring case',
      header('x-user', { exact: 'jason', ignoreCase: true }),
      get('/', 'X-User: Jason\r\n'),
      true,
    ],
    ['a header by regex', header('x-user', { safeRegex: { regex: 'ja.*' } }), get('/', 'X-User: jason\r\n'), true],
    ['repeated headers are one list', header('x-user', { exact: 'a,b' }), get('/', 'X-User: a\r\nX-User: b\r\n'), true],
    ['a missing header', header('x-user', { prefix: 'j' }), get('/'), false],
    [
      'an inverted header',
      header('x-user', { exact: 'jason' }, { invertMatch: true }),
      get('/', 'X-User: tom\r\n'),
      true,
    ],
    [
      'an inverted header that is missing',
      header('x-user', { exact: 'jason' }, { invertMatch: true }),
      get('/'),
      false,
    ],
    [
      '... taken as empty',
      header('x-user', { exact: 'jason' }, { invertMatch: true, treatMissingHeaderAsEmpty: true }),
      get('/'),
      true,
    ],
    ['presence', { prefix: '/', headers: [{ name: 'x-a', presentMatch: true }] }, get('/', 'X-A:\r\n'), true],
    ['presence, absent', { prefix: '/', headers: [{ name: 'x-a', presentMatch: true }] }, get('/'), false],
    ['absence', { prefix: '/', headers: [{ name: 'x-a', presentMatch: true, invertMatch: true }] }, get('/'), true],
    [
      'absence, present',
      { prefix: '/', headers: [{ name: 'x-a', presentMatch: true, invertMatch: true }] },
      get('/', 'X-A: 1\r\n'),
      false,
    ],
    ['the method', header(':method', { exact: 'POST' }), get('/', '', 'POST'), true],
    ['the authority', header(':authority', { exact: 'b' }), get('/'), false],
    ['a query value', query('v', { exact: '1' }), get('/?u=2&v=1'), true],
    ['an empty query value', query('v', { exact: '' }), get('/?v'), true],
    ['a query key', query('v'), get('/?w=v'), false],
  ]
  for (const [name, match, text, expected] of rows) {
    const table = compileRoutes(
      { name: 'r', virtualHosts: [{ name: 'v', domains: ['*'], routes: [{ ...forward('c'), match: match ?? {} }] }] },
      clusters,
    )
    const { x, head } = parse(text)
    t.equal(findRoute(table.virtualHost('a')!, x, head) !== undefined, expected, name)
  }
})

void t.test('what cannot be honoured is refused when it is compiled', async (t) => {
  const one = (route: XdsRoute): XdsRoutes => ({
    name: 'r',
    virtualHosts: [{ name: 'v', domains: ['*'], routes: [route] }],
  })
  t.throws(
    () => compileRoutes(one({ match: { safeRegex: { regex: '(?=a)' } }, route: { cluster: 'c' } }), clusters),
    /regular expression/,
  )
  t.throws(() => compileRoutes(one({ match: {}, route: { cluster: 'c' } }), clusters), /neither prefix/)
  t.throws(
    () => compileRoutes(one({ match: { prefix: '/' } }), clusters),
    /needs one of route, redirect, direct_response/,
  )
  t.throws(() => compileRoutes(one({ match: { prefix: '/' }, route: {} }), clusters), /no cluster/)
  for (const status of [0, 100, 199, 601])
    t.throws(() => compileRoutes(one({ match: { prefix: '/' }, directResponse: { status } }), clusters), /200 to 600/)
})

void t.test('weights, redirects', async (t) => {
  const compile = (route: XdsRoute) =>
    compileRoutes({ name: 'r', virtualHosts: [{ name: 'v', domains: ['*'], routes: [route] }] }, clusters).virtualHost(
      'x',
    )!.routes[0]!.action
  const split = compile(weighted(['a', 1], ['zero', 0], ['b', 3])) as ForwardAction
  t.same(
    [0, 0.2499, 0.25, 0.999].map((r) => drawCluster(split.clusters, split.upTo, () => r).name),
    ['a', 'a', 'b', 'b'],
  )
  for (const [redirect, scheme, authority, path, location] of [
    [{ pathRedirect: '/new' }, 'http', 'a:8080', '/old?q', 'http://a:8080/new?q'],
    [{ pathRedirect: '/new' }, 'https', 'a:443', '/old', 'https://a/new'],
    [{ pathRedirect: '/new?x' }, 'http', 'a', '/old?q', 'http://a/new?x'],
    [{ hostRedirect: 'b' }, 'http', 'a:8080', '/p', 'http://b/p'],
    [{ schemeRedirect: 'https', portRedirect: 443 }, 'http', 'a:80', '/p', 'https://a/p'],
    [{ prefixRewrite: '/v2/' }, 'http', 'a', '/v1/x?y', 'http://a/v2/x?y'],
    [{ httpsRedirect: true }, 'http', 'a', '/p?q', 'https://a/p?q'],
    [{ httpsRedirect: true }, 'http', 'a:80', '/p', 'https://a/p'],
    [{ httpsRedirect: true }, 'http', 'a:8080', '/p', 'https://a:8080/p'],
  ] as const) {
    const action = compile({ match: { prefix: '/v1/' }, redirect })
    t.equal(action.kind === 'redirect' ? redirectLocation(action, scheme, authority, path) : '', location)
  }
  const byRegex = compile({ match: { safeRegex: { regex: '/v1/.*' } }, redirect: { prefixRewrite: '/v2' } })
  t.equal(byRegex.kind === 'redirect' ? redirectLocation(byRegex, 'http', 'a', '/v1/x?y') : '', 'http://a/v2?y')
})
