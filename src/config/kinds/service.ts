/** Service (v1): a name and ports for the pods that its selector picks. */
import { labelKey, labelValue } from '../formats.ts'
import type { MeshObject } from '../object.ts'
import type { Infer, Report, StringCheck } from '../schema.ts'
import { enumOf, ignored, intOrString, list, map, object, quiet, string, supported, withRule } from '../schema.ts'
import { duplicates, port } from './common.ts'
import type { KindDef } from './kind.ts'

const PUBLISH_ANNOTATION = 'pocketmesh.dev/publish'

const portName: StringCheck = (text) =>
  text === '' || /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(text)
    ? undefined
    : {
        code: 'PM0140',
        message: `${JSON.stringify(text.slice(0, 80))} is not a port name`,
        fix: 'lower-case letters, digits and -',
      }

const ports = () =>
  withRule(
    list(
      object(
        {
          name: supported(
            string(portName, 'name'),
            'Name; what stands before the first - is the protocol: http, grpc, tcp, tls ...',
          ),
          port: supported(port(), 'Port that callers use.', { required: true }),
          targetPort: supported(intOrString(), 'Container port, by number or name.', { default: 'the same as port' }),
          protocol: supported(
            enumOf({
              TCP: 'TCP.',
              UDP: { ignored: 'UDP does not pass through the mesh' },
              SCTP: { ignored: 'SCTP does not pass through the mesh' },
            }),
            'Transport protocol.',
            { default: 'TCP' },
          ),
          appProtocol: supported(string(), 'Protocol of the application; wins over the name.'),
          nodePort: quiet(),
        },
        { open: true },
      ),
    ),
    [],
    (list, report) => {
      for (const [i, first] of duplicates(list, (p) => p.name || undefined)) {
        report('PM0168', [i, 'name'], `ports[${first}] has the name ${list[i]?.name} already`)
      }
      for (const [i, first] of duplicates(list, (p) => `${p.port} ${p.protocol ?? 'TCP'}`)) {
        report('PM0168', [i, 'port'], `ports[${first}] has port ${list[i]?.port} already`)
      }
      for (const [i, p] of list.entries()) {
        if (list.length > 1 && !p.name)
          report('PM0103', [i, 'name'], 'a Service with several ports needs a name for each')
        const target = p.targetPort
        if (target === undefined) continue
        if (
          typeof target === 'number' ? target < 1 || target > 65535 : portName(target) !== undefined || target === ''
        ) {
          report(
            'PM0105',
            [i, 'targetPort'],
            `${JSON.stringify(target)} is neither a port number nor the name of a container port`,
          )
        }
      }
    },
  )

const spec = object(
  {
    selector: supported(
      map(string(labelValue), { key: labelKey }),
      'Labels of the pods that serve; none: no endpoints.',
    ),
    ports: supported(ports(), 'Ports.'),
    type: supported(
      enumOf({
        ClusterIP: 'Inside the mesh.',
        NodePort: `As ClusterIP; ${PUBLISH_ANNOTATION} opens it to this machine.`,
        LoadBalancer: `As ClusterIP; ${PUBLISH_ANNOTATION} opens it to this machine.`,
        ExternalName: { ignored: 'another name for an outside host is not made' },
      }),
      'Who may reach it.',
      { default: 'ClusterIP' },
    ),
    clusterIP: supported(string(), 'Replaced by an address of the mesh, also where it is None.'),
    externalName: ignored(
      string(),
      'Outside host, for type ExternalName.',
      'another name for an outside host is not made',
    ),
    clusterIPs: quiet(),
    externalIPs: quiet(),
    ipFamilies: quiet(),
    ipFamilyPolicy: quiet(),
    sessionAffinity: quiet(),
  },
  { open: true },
)

export type ServiceSpec = Infer<typeof spec>

/** Fills in targetPort, and checks the port that the Service is published on. */
function finish(object: MeshObject, report: Report): void {
  for (const p of (object.spec as ServiceSpec).ports ?? []) p.targetPort ??= p.port
  const publish = object.metadata.annotations[PUBLISH_ANNOTATION]
  if (publish !== undefined && !(/^\d{1,5}$/.test(publish) && Number(publish) >= 1 && Number(publish) <= 65535)) {
    report(
      'PM0128',
      ['metadata', 'annotations', PUBLISH_ANNOTATION],
      `${JSON.stringify(publish.slice(0, 80))} is not a port: 1 to 65535`,
    )
  }
}

export const service: KindDef = {
  kind: 'Service',
  plural: 'services',
  short: ['svc', 'service'],
  doc: 'A name and ports for the pods that its selector picks.',
  apiVersions: ['v1'],
  scope: 'namespaced',
  labelName: true,
  spec,
  open: true,
  finish,
}
