/** How a client chooses an endpoint (Istio API: LoadBalancerSettings). */
import { headerValue, nonEmpty } from '../formats.ts'
import {
  anything,
  bool,
  duration,
  enumOf,
  ignored,
  list,
  map,
  number,
  object,
  string,
  supported,
  withRule,
} from '../schema.ts'
import { uint32 } from './common.ts'
import { checkLocality, isPrime, MAX_MAGLEV_SIZE } from './locality.ts'

const consistentHash = () =>
  withRule(
    object(
      {
        httpHeaderName: supported(string(), 'Header that is hashed.'),
        httpCookie: supported(
          object({
            name: supported(string(nonEmpty), 'Name of the cookie.', { required: true }),
            path: supported(string(), 'Path of the cookie.'),
            ttl: supported(duration({ zero: true }), 'Lifetime of a cookie that the proxy sets; 0s: for the session.'),
            attributes: supported(
              list(object({ name: supported(string(), 'Name.'), value: supported(string(headerValue), 'Value.') })),
              'Attributes of the cookie.',
            ),
          }),
          'Cookie that is hashed.',
        ),
        useSourceIp: supported(bool(), 'Hash the address of the caller.'),
        httpQueryParameterName: supported(string(), 'Query parameter that is hashed.'),
        ringHash: supported(
          object({ minimumRingSize: supported(uint32(), 'Least size of the ring.', { default: '1024' }) }),
          'Ring hash.',
        ),
        maglev: supported(
          object({ tableSize: supported(uint32(), 'Size of the table, a prime.', { default: '65537' }) }),
          'Maglev.',
        ),
        minimumRingSize: supported(uint32(), 'Least size of the ring (old).', {
          deprecated: true,
          note: 'write ringHash: {minimumRingSize: N}',
        }),
      },
      {
        oneOf: [
          ['httpHeaderName', 'httpCookie', 'useSourceIp', 'httpQueryParameterName'],
          ['ringHash', 'maglev', 'minimumRingSize'],
        ],
      },
    ),
    ['maglev'],
    (hash, report) => {
      const size = hash.maglev?.tableSize
      if (hash.maglev === undefined) return
      if (size === undefined || size >= MAX_MAGLEV_SIZE || !isPrime(size)) {
        report('PM0164', ['maglev'], `tableSize must be a prime below ${MAX_MAGLEV_SIZE}`, 'for example 65537')
      }
    },
  )

const locality = () =>
  withRule(
    object({
      enabled: supported(bool(), 'Switch it on or off.'),
      distribute: supported(
        list(
          object({
            from: supported(string(), 'Where the caller is: region/zone/subzone.'),
            to: supported(map(uint32()), 'Shares by place; they sum to 100.'),
          }),
        ),
        'Shares by place.',
      ),
      failover: supported(
        list(object({ from: supported(string(), 'Region.'), to: supported(string(), 'Region.') })),
        'Where to turn when a region fails.',
      ),
      failoverPriority: supported(list(string()), 'Labels that order endpoints.'),
    }),
    ['distribute', 'failover', 'failoverPriority'],
    checkLocality,
  )

const warmup = () =>
  object({
    duration: supported(duration(), 'How long a new endpoint gets less than its share.', { required: true }),
    minimumPercent: supported(number(0, 100), 'Share to begin with.', { default: '10' }),
    aggression: supported(number(1), 'How fast the share grows.', { default: '1' }),
  })

export const loadBalancer = () =>
  object(
    {
      simple: supported(
        enumOf({
          UNSPECIFIED: 'The default: LEAST_REQUEST.',
          LEAST_REQUEST: 'Of two endpoints picked at random the one with fewer requests.',
          ROUND_ROBIN: 'One after the other.',
          RANDOM: 'At random.',
          LEAST_CONN: 'As LEAST_REQUEST (old).',
          PASSTHROUGH: 'To the address that the caller dialled.',
        }),
        'How an endpoint is chosen.',
        { default: 'LEAST_REQUEST' },
      ),
      consistentHash: ignored(
        consistentHash(),
        'Choose by a hash of the request.',
        'endpoints are chosen by the default',
      ),
      localityLbSetting: ignored(locality(), 'Preference for near endpoints.', 'everything runs in one place'),
      warmup: ignored(warmup(), 'Slow start of new endpoints.', 'new endpoints get their full share at once'),
      warmupDurationSecs: ignored(
        duration(),
        'Slow start of new endpoints (old).',
        'new endpoints get their full share at once',
      ),
      zoneAwareLbSetting: ignored(anything(), 'Preference for the own zone.', 'everything runs in one place'),
    },
    { oneOf: [['simple', 'consistentHash']] },
  )
