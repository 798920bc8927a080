/** DestinationRule: subsets of a service, and how clients talk to it. Istio API: networking.istio.io v1, v1beta1, v1alpha3. */
import { dnsLabel, wildcardHost } from '../formats.ts'
import type { MeshObject } from '../object.ts'
import type { Infer, Report } from '../schema.ts'
import { list, object, string, supported, withRule } from '../schema.ts'
import { checkExportTo, duplicates, exportTo, labels, selector } from './common.ts'
import type { KindDef } from './kind.ts'
import { trafficPolicy } from './traffic-policy.ts'

const subsets = () =>
  withRule(
    list(
      object({
        name: supported(string(dnsLabel, 'name'), 'Name that routes use.', { required: true }),
        labels: supported(labels(), 'Labels of the endpoints in the subset; none: all of them.'),
        trafficPolicy: supported(trafficPolicy(), 'Settings for the subset; each block replaces that of the whole.'),
      }),
    ),
    [],
    (list, report) => {
      for (const [i, first] of duplicates(list, (subset) => subset.name)) {
        report('PM0161', [i, 'name'], `subset ${list[i]?.name} is already defined as subsets[${first}]`)
      }
    },
  )

const spec = object({
  host: supported(
    string(wildcardHost, 'host'),
    'Service that the rule is for. Without a dot: one in the namespace of this object.',
    { required: true },
  ),
  trafficPolicy: supported(trafficPolicy(), 'Settings for the whole service.'),
  subsets: supported(subsets(), 'Named parts of the service.'),
  exportTo: supported(exportTo(), 'Namespaces that see the rule.', { default: "['*']" }),
  workloadSelector: supported(selector(), 'Clients that the rule is for; none: all that see it.'),
})

export type DestinationRuleSpec = Infer<typeof spec>

/** A rule for certain workloads stays in its namespace. */
function finish(object: MeshObject, report: Report): void {
  const { exportTo: entries, workloadSelector } = object.spec as DestinationRuleSpec
  checkExportTo(entries, object.metadata.namespace, report)
  if (workloadSelector === undefined || entries === undefined) return
  for (const [i, entry] of entries.entries()) {
    if (entry !== '.' && entry !== object.metadata.namespace)
      report(
        'PM0139',
        ['spec', 'exportTo', i],
        `a rule with a workloadSelector stays in its namespace: ${entry} is not allowed`,
      )
  }
}

export const destinationRule: KindDef = {
  kind: 'DestinationRule',
  plural: 'destinationrules',
  short: ['dr', 'destinationrule'],
  doc: 'Subsets of a service, and how clients talk to it.',
  apiVersions: ['networking.istio.io/v1', 'networking.istio.io/v1beta1', 'networking.istio.io/v1alpha3'],
  scope: 'namespaced',
  labelName: false,
  spec,
  open: false,
  finish,
}
