/**
 * Deployment (apps/v1, and extensions/v1beta1 of 2018): processes of this machine. Containers run as local commands.
 * Fields of Kubernetes that concern machines, images and volumes are left alone.
 */
import { labelKey, labelValue, objectName } from '../formats.ts'
import type { MeshObject } from '../object.ts'
import type { Infer, Report, StringCheck } from '../schema.ts'
import {
  anything,
  enumOf,
  ignored,
  int,
  intOrString,
  list,
  map,
  object,
  quiet,
  string,
  supported,
  withRule,
} from '../schema.ts'
import { duplicates, port } from './common.ts'
import type { KindDef } from './kind.ts'

const containerName: StringCheck = (text) =>
  /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(text)
    ? undefined
    : { code: 'PM0140', message: `${JSON.stringify(text.slice(0, 80))} is not a container name` }

const envName: StringCheck = (text) =>
  text !== '' && !/[=\0]/.test(text)
    ? undefined
    : { code: 'PM0138', message: `${JSON.stringify(text.slice(0, 80))} is not the name of a variable` }

const probe = () =>
  object(
    {
      httpGet: supported(
        object(
          {
            path: supported(string(), 'Path.', { default: '/' }),
            port: supported(intOrString(), 'Container port, by number or name.', { required: true }),
            scheme: supported(enumOf({ HTTP: 'Plain HTTP.', HTTPS: 'HTTPS; any certificate will do.' }), 'Scheme.', {
              default: 'HTTP',
            }),
            host: quiet(),
            httpHeaders: supported(
              list(
                object({
                  name: supported(string(), 'Name.', { required: true }),
                  value: supported(string(), 'Value.'),
                }),
              ),
              'Headers to send.',
            ),
          },
          { open: true },
        ),
        'A GET that answers 200 to 399.',
      ),
      tcpSocket: supported(
        object(
          { port: supported(intOrString(), 'Container port, by number or name.', { required: true }) },
          { open: true },
        ),
        'A port that accepts.',
      ),
      exec: supported(
        object({ command: supported(list(string()), 'Command and arguments.') }, { open: true }),
        'A command that ends with 0.',
      ),
      grpc: supported(
        object(
          { port: supported(port(), 'Port.', { required: true }), service: supported(string(), 'Service.') },
          { open: true },
        ),
        'gRPC health check.',
      ),
      initialDelaySeconds: supported(int(0), 'Wait before the first one.', { default: '0' }),
      periodSeconds: supported(int(1), 'Time between two.', { default: '10' }),
      timeoutSeconds: supported(int(1), 'Time for an answer.', { default: '1' }),
      successThreshold: supported(int(1), 'Successes in a row that count as well.', { default: '1' }),
      failureThreshold: supported(int(1), 'Failures in a row that count as ill.', { default: '3' }),
    },
    { open: true, oneOf: [['httpGet', 'tcpSocket', 'exec', 'grpc']] },
  )

const container = () =>
  object(
    {
      name: supported(string(containerName, 'name'), 'Name.', { required: true }),
      image: supported(string(), 'Key into the images table of pocketmesh.yaml.'),
      command: supported(
        list(string()),
        'Command of the image; runs here only where the command comes from the images table.',
      ),
      args: supported(list(string()), 'Arguments.'),
      env: supported(
        list(
          object(
            {
              name: supported(string(envName, 'name'), 'Name.', { required: true }),
              value: supported(string(), 'Value.', { default: 'empty' }),
              valueFrom: ignored(
                anything(),
                'Value from elsewhere.',
                'there are no ConfigMaps, Secrets and pod fields: the variable is not set',
              ),
            },
            { open: true },
          ),
        ),
        'Environment.',
      ),
      envFrom: ignored(
        anything(),
        'Environment from elsewhere.',
        'there are no ConfigMaps and Secrets: the variables are not set',
      ),
      workingDir: supported(string(), 'Working folder; relative to the folder of the manifest.'),
      ports: supported(
        list(
          object(
            {
              name: supported(string(), 'Name, for targetPort.'),
              containerPort: supported(
                port(),
                'Port that the program would listen on in a container; PORT tells it the real one.',
                { required: true },
              ),
              protocol: supported(
                enumOf({
                  TCP: 'TCP.',
                  UDP: { ignored: 'UDP does not pass through the mesh' },
                  SCTP: { ignored: 'SCTP does not pass through the mesh' },
                }),
                'Protocol.',
                { default: 'TCP' },
              ),
              hostPort: quiet(),
            },
            { open: true },
          ),
        ),
        'Ports.',
      ),
      readinessProbe: supported(probe(), 'When the pod gets requests; without one: once its ports accept.'),
      livenessProbe: supported(probe(), 'When the program is started anew.'),
      startupProbe: ignored(probe(), 'When the other probes begin.', 'they begin at once'),
    },
    { open: true },
  )

const podSpec = () =>
  withRule(
    object(
      {
        serviceAccountName: supported(string(objectName, 'name'), 'Identity of the pods.', {
          default: 'default',
          aliases: ['serviceAccount'],
        }),
        containers: supported(list(container(), { min: 1 }), 'Programs of a pod.', { required: true }),
        initContainers: ignored(anything(), 'Programs that run before.', 'they are not run'),
        hostNetwork: quiet(),
      },
      { open: true },
    ),
    ['containers'],
    (pod, report) => {
      for (const [i, first] of duplicates(pod.containers, (c) => c.name)) {
        report(
          'PM0161',
          ['containers', i, 'name'],
          `containers[${first}] has the name ${pod.containers[i]?.name} already`,
        )
      }
      const ports = pod.containers.flatMap((c, i) =>
        (c.ports ?? []).map((p, j) => ({ ...p, at: ['containers', i, 'ports', j, 'containerPort'] })),
      )
      for (const [i, first] of duplicates(ports, (p) =>
        (p.protocol ?? 'TCP') === 'TCP' ? String(p.containerPort) : undefined,
      )) {
        report(
          'PM0168',
          ports[i]?.at ?? [],
          `containers[${ports[first]?.at[1]}] has port ${ports[i]?.containerPort} already`,
        )
      }
    },
  )

const podLabels = () => map(string(labelValue), { key: labelKey })

const spec = object(
  {
    replicas: supported(int(0, 1000), 'How many pods.', { default: '1' }),
    selector: supported(
      object({ matchLabels: supported(podLabels(), 'Labels of its pods.') }, { open: true }),
      'Pods that belong to it.',
    ),
    template: supported(
      object(
        {
          metadata: supported(
            object(
              {
                labels: supported(podLabels(), 'Labels.'),
                annotations: supported(
                  map(string()),
                  'Annotations. pocketmesh.dev/command: the line that runs; sidecar.istio.io/inject "false": no sidecar.',
                ),
              },
              { open: true },
            ),
            'Labels and annotations of the pods.',
          ),
          spec: supported(podSpec(), 'What a pod runs.', { required: true }),
        },
        { open: true },
      ),
      'What its pods are like.',
      { required: true },
    ),
  },
  { open: true },
)

export type DeploymentSpec = Infer<typeof spec>
export type Container = DeploymentSpec['template']['spec']['containers'][number]
export type Probe = NonNullable<Container['readinessProbe']>

/** Fills in replicas and, as extensions/v1beta1 did, the selector; the template must have the labels selected. */
function finish(object: MeshObject, report: Report): void {
  const deployment = object.spec as DeploymentSpec
  deployment.replicas ??= 1
  const labels = deployment.template.metadata?.labels ?? {}
  const wanted = deployment.selector?.matchLabels
  if (wanted === undefined) {
    if (object.apiVersion === 'apps/v1')
      report('PM0103', ['spec', 'selector', 'matchLabels'], 'apps/v1 needs selector.matchLabels')
    deployment.selector = { ...deployment.selector, matchLabels: { ...labels } }
    return
  }
  for (const [key, value] of Object.entries(wanted)) {
    if (labels[key] !== value)
      report('PM0169', ['spec', 'selector', 'matchLabels', key], `the pod template has not the label ${key}: ${value}`)
  }
}

export const deployment: KindDef = {
  kind: 'Deployment',
  plural: 'deployments',
  short: ['deploy', 'deployment'],
  doc: 'Programs that run as pods of the mesh.',
  apiVersions: ['apps/v1', 'extensions/v1beta1', 'apps/v1beta1', 'apps/v1beta2'],
  scope: 'namespaced',
  labelName: false,
  spec,
  open: true,
  finish,
}
