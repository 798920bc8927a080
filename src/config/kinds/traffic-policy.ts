/** How a client talks to a service: the part of a DestinationRule that also stands per subset and per port. */
import { hostFault, subnet } from '../formats.ts'
import {
  anything,
  bool,
  duration,
  enumOf,
  ignored,
  int,
  list,
  number,
  object,
  string,
  supported,
  withRule,
} from '../schema.ts'
import { tls } from './client-tls.ts'
import { port, uint32 } from './common.ts'
import { connectionPool } from './connection-pool.ts'
import { loadBalancer } from './load-balancer.ts'

const outlierDetection = () =>
  withRule(
    object({
      consecutive5xxErrors: supported(uint32(), 'Errors in a row before an endpoint is ejected; 0: off.', {
        default: '5',
      }),
      consecutiveGatewayErrors: supported(uint32(), 'The same for 502, 503 and 504.', { default: '0' }),
      consecutiveErrors: supported(int(0), 'The same (1.0).', {
        deprecated: true,
        note: 'write consecutiveGatewayErrors or consecutive5xxErrors',
      }),
      splitExternalLocalOriginErrors: supported(bool(), 'Count failures to connect apart.', { default: 'false' }),
      consecutiveLocalOriginFailures: supported(uint32(), 'Failures to connect before an endpoint is ejected.', {
        default: '5',
      }),
      interval: supported(duration(), 'Time between checks.', { default: '10s' }),
      baseEjectionTime: supported(duration(), 'Time of the first ejection.', { default: '30s' }),
      maxEjectionPercent: supported(int(0, 100), 'Most endpoints ejected at a time.', { default: '10' }),
      minHealthPercent: supported(int(0, 100), 'Below this share of healthy endpoints none is left out.', {
        default: '0',
      }),
      outlierDetectionHttpErrorCodes: supported(anything(), 'What counts as an error.'),
    }),
    ['splitExternalLocalOriginErrors', 'consecutiveLocalOriginFailures'],
    (outlier, report) => {
      if (outlier.consecutiveLocalOriginFailures && !outlier.splitExternalLocalOriginErrors) {
        report(
          'PM0171',
          ['consecutiveLocalOriginFailures'],
          'consecutiveLocalOriginFailures has no meaning without splitExternalLocalOriginErrors',
        )
      }
    },
  )

const tunnel = () =>
  object({
    protocol: supported(
      enumOf({ CONNECT: 'CONNECT requests.', POST: 'POST requests.' }),
      'How the tunnel is asked for.',
      { default: 'CONNECT' },
    ),
    targetHost: supported(
      string((text) => (subnet(text) === undefined ? undefined : hostFault(text, false)), 'host'),
      'Host at the end of the tunnel.',
      { required: true },
    ),
    targetPort: supported(port(), 'Port at the end of the tunnel.', { required: true }),
  })

const retryBudget = () =>
  object({
    percent: supported(number(0, 100), 'Retries as a share of the requests.', { default: '20' }),
    minRetryConcurrency: supported(uint32(), 'Retries that are always allowed.', { default: '3' }),
    budgetInterval: supported(duration({ zero: true }), 'Window that is counted.'),
  })

const blocks = () => ({
  loadBalancer: supported(loadBalancer(), 'How an endpoint is chosen.'),
  connectionPool: supported(connectionPool(), 'Limits, per client.'),
  outlierDetection: ignored(
    outlierDetection(),
    'Endpoints that fail are left out for a time.',
    'no endpoint is ejected',
  ),
  tls: supported(tls(), 'How connections are secured.'),
})

const portPolicy = () =>
  withRule(
    object({
      port: supported(
        object({ number: supported(port(), 'Number of the service port.', { required: true }) }),
        'The port.',
        { required: true },
      ),
      ...blocks(),
    }),
    'all',
    (policy, report) => {
      if (Object.keys(policy).every((name) => name === 'port'))
        report('PM0162', [], 'a port policy needs at least one of loadBalancer, connectionPool, outlierDetection, tls')
    },
  )

export const trafficPolicy = () =>
  withRule(
    object(
      {
        ...blocks(),
        portLevelSettings: supported(list(portPolicy()), 'Settings for single ports; they replace the others whole.'),
        tunnel: ignored(tunnel(), 'Reach the service through a proxy.', 'connections go straight to the service'),
        proxyProtocol: ignored(
          object({
            version: supported(enumOf({ V1: 'The text form.', V2: 'The binary form.' }), 'Version.', { default: 'V1' }),
          }),
          'Send a PROXY protocol header to the service.',
          'no header is sent',
        ),
        retryBudget: ignored(
          retryBudget(),
          'Most retries under way, as a share of the requests.',
          'there is no budget',
        ),
      },
      { oneOf: [['tunnel', 'proxyProtocol']] },
    ),
    'all',
    (policy, report) => {
      if (Object.keys(policy).length === 0) report('PM0162', [], 'a traffic policy needs at least one setting')
    },
  )
