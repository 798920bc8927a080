import t from 'tap'
import { normalizePath } from '../../src/lib/normalize-path.ts'

const ROWS: [target: string, normal: string | undefined][] = [
  ['/', '/'],
  ['/a/b?c=/../%2e', '/a/b?c=/../%2e'],
  ['/%61dmin', '/admin'],
  ['/%7e%2D%5f', '/~-_'],
  ['/%c3%a9', '/%C3%A9'],
  ['/a%2fb%5c', '/a%2Fb%5C'],
  ['/a/../b', '/b'],
  ['/a/./b/.', '/a/b/'],
  ['/a/b/..', '/a/'],
  ['/../../a', '/a'],
  ['/..', '/'],
  ['/a/%2e%2E/b', '/b'],
  ['/.well-known/x..y/...', '/.well-known/x..y/...'],
  ['/a//b', '/a//b'],
  ['/a//../b', '/a/b'],
  ['/a\\..\\b', '/b'],
  ['/a;x=1/../b', '/b'],
  ['/%2561dmin', '/%2561dmin'],
  ['/%%361dmin', undefined],
  ['/100%', undefined],
  ['/%zz', undefined],
  ['/a?100%', '/a?100%'],
]

t.test('a path has one form, and it is stable', async (t) => {
  for (const [target, normal] of ROWS) {
    t.equal(normalizePath(target), normal, target)
    if (normal !== undefined) t.equal(normalizePath(normal), normal, `${target} twice`)
  }
})
