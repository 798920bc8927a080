import { networkInterfaces } from 'node:os'
import t from 'tap'
import { isForbiddenHost, lookupPublic } from '../../../src/sidecar/pool/forbidden.ts'

t.test('this host, its links, groups and the mesh are no targets', (t) => {
  const mine = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address))
  for (const host of [
    ...mine,
    ...mine.filter((a) => !a.includes(':')).map((a) => `::ffff:${a}`),
    '0.0.0.0',
    '127.1.2.3',
    '169.254.169.254',
    '224.0.0.251',
    '240.240.0.5',
    '255.255.255.255',
    '10.244.0.1',
    '10.244.255.255',
    '::',
    '::1',
    '::7f00:1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:10.244.0.1',
    'fe80::1',
    'fe80::1%eth0',
    'ff02::1',
    'fd00:10:244::3',
    '2001:2::5',
    '2001:2:0:ffff::1',
    'localhost',
    'a.LOCALHOST.',
  ])
    t.ok(isForbiddenHost(host), host)
  for (const host of [
    '93.184.216.34',
    '10.243.255.255',
    '10.245.0.1',
    '2001:db8::1',
    '2001:2:1::1',
    'fd00:10:244:1::1',
  ])
    t.notOk(isForbiddenHost(host), host)
  t.notOk(isForbiddenHost('example.com'), 'names are looked at when they are resolved')
  t.end()
})

t.test('a name that leads only to such addresses is refused', (t) => {
  lookupPublic('localhost', { all: true }, (error) => {
    t.match(error, { code: 'EREFUSEDTARGET' })
    t.end()
  })
})
