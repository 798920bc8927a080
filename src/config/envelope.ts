/** What stands around the spec of every kind: apiVersion, kind, metadata. */
import { labelKey, labelValue, namespaceName, objectLabelName, objectName } from './formats.ts'
import type { KindDef } from './kinds/kind.ts'
import type { Field, Schema } from './schema.ts'
import { map, object, quiet, refused, string, supported } from './schema.ts'

const METADATA_QUIET = [
  'clusterName', 'creationTimestamp', 'deletionGracePeriodSeconds', 'deletionTimestamp', 'finalizers', 'generation', 'initializers',
  'managedFields', 'ownerReferences', 'resourceVersion', 'selfLink', 'uid',
] // prettier-ignore

const envelopes = new Map<KindDef, Schema>()

/** Schema of a whole object of a kind. */
export function envelope(def: KindDef): Schema {
  const known = envelopes.get(def)
  if (known !== undefined) return known
  const metadata = object({
    name: supported(string(def.labelName ? objectLabelName : objectName, 'name'), 'Name of the object.', {
      required: true,
    }),
    namespace: supported(string(namespaceName, 'namespace'), 'Namespace; without one that of the command line.'),
    labels: supported(map(string(labelValue), { key: labelKey }), 'Labels.'),
    annotations: supported(map(string(), { key: labelKey }), 'Annotations.'),
    generateName: refused('Name made up by the server.', 'applying the file twice would make two objects'),
    ...Object.fromEntries(METADATA_QUIET.map((name) => [name, quiet()])),
  })
  const fields: Record<string, Field> = {
    apiVersion: supported(string(), 'Group and version of the kind.', { required: false }),
    kind: supported(string(), 'Kind of the object.'),
    metadata: supported(metadata, 'Name, namespace, labels and annotations.', { required: true }),
    status: quiet(),
  }
  const hints: Record<string, string> = {}
  if (def.spec !== undefined) {
    fields[def.body ?? 'spec'] = supported(def.spec, def.doc)
    if (def.spec.type === 'object')
      for (const name of Object.keys(def.spec.fields)) hints[name] = `${name} belongs under spec`
  }
  const schema = object(fields, { open: def.open, hints })
  envelopes.set(def, schema)
  return schema
}
