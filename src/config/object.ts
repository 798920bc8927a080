/**
 * A configuration object after parsing: what the store holds and translation reads.
 * In: documents that `parse.ts` has validated. Out: plain JSON, apiVersion as the user wrote it,
 * namespace filled in (`default`; none for cluster-scoped kinds), `spec` typed by its kind's file.
 */
export interface ObjectMeta {
  name: string
  /** Empty for cluster-scoped kinds. */
  namespace: string
  labels: Record<string, string>
  annotations: Record<string, string>
}

export interface MeshObject<Kind extends string = string, Spec = unknown> {
  apiVersion: string
  kind: Kind
  metadata: ObjectMeta
  /** Kinds without a spec (ServiceAccount, Namespace): an empty object. */
  spec: Spec
  /** Where it was read: for messages, and the folder in which a container's command runs. */
  source?: ObjectSource
}

export interface ObjectSource {
  /** File as the user named it, or `(stdin)`. */
  file: string
  /** 1-based line of the document's first key. */
  line: number
  /** Absolute folder of the file, or the caller's working folder. */
  dir: string
}

/** `VirtualService/default/checkout-route`; the namespace is empty for cluster-scoped kinds. */
export function objectKey(kind: string, namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`
}
