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
  withRule(
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
          object(
            { command: supported(list(string(), { min: 1 }), 'Command and arguments.', { required: true }) },
            { open: true },
          ),
          'A command that ends with 0.',
        ),
        grpc: ignored(anything(), 'gRPC health check.', 'it is not made: the pod counts as well once its ports accept'),
        initialDelaySeconds: supported(int(0), 'Wait before the first one.', { default: '0' }),
        periodSeconds: supported(int(1), 'Time between two.', { default: '10' }),
        timeoutSeconds: supported(int(1), 'Time for an answer.', { default: '1' }),
        successThreshold: supported(int(1), 'Successes in a row that count as well.', { default: '1' }),
        failureThreshold: supported(int(1), 'Failures in a row that count as ill.', { default: '3' }),
      },
      { open: true, oneOf: [['httpGet', 'tcpSocket', 'exec', 'grpc']] },
    ),
    'all',
    (p, report) => {
      if (p.httpGet === undefined && p.tcpSocket === undefined && p.exec === undefined && p.grpc === undefined) {
        report('PM0157', [], 'a probe needs httpGet, tcpSocket or exec')
      }
    },
  )

const container = () =>
  object(
    {
      name: supported(string(containerName, 'name'), 'Name.', { required: true }),
      image: supported(string(), 'Key into the images table of pocketmesh.yaml.'),
      command: ignored(
        list(string()),
        'Command of the image.',
        'what runs here is the annotation pocketmesh.dev/command or the images table of pocketmesh.yaml',
      ),
      args: supported(list(string()), 'Arguments.'),
      env: supported(
        list(
          object(
            {
              name: supported(string(envName, 'name'), 'Name.', { required: true }),
              value: supported(string(), 'Value.', { default: 'empty' }),
              valueFrom: supported(
                object(
                  {
                    fieldRef: supported(
                      object(
                        { fieldPath: supported(string(), 'metadata.name, status.podIP ...', { required: true }) },
                        { open: true },
                      ),
                      'A field of the pod.',
                    ),
                    configMapKeyRef: ignored(
                      anything(),
                      'A ConfigMap.',
                      'there are no ConfigMaps: the variable is not set',
                    ),
                    secretKeyRef: ignored(anything(), 'A Secret.', 'there are no Secrets: the variable is not set'),
                    resourceFieldRef: ignored(
                      anything(),
                      'A limit of the container.',
                      'there are no limits: the variable is not set',
                    ),
                  },
                  { open: true },
                ),
                'Value from elsewhere.',
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
        serviceAccountName: supported(string(objectName, 'name'), 'Identity of the pods.', { default: 'default' }),
        serviceAccount: supported(string(objectName, 'name'), 'Old name of serviceAccountName.'),
        terminationGracePeriodSeconds: supported(int(0), 'Time between SIGTERM and SIGKILL.', { default: '30' }),
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

/** Fills in replicas, the account's current name and, as extensions/v1beta1 did, the selector; the template must have the labels selected. */
function finish(object: MeshObject, report: Report): void {
  const deployment = object.spec as DeploymentSpec
  deployment.replicas ??= 1
  const pod = deployment.template.spec
  if (pod.serviceAccount !== undefined) pod.serviceAccountName ??= pod.serviceAccount
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
