/** What the table of kinds says of each of them. */
import type { MeshObject } from '../object.ts'
import type { Field, Report, Schema } from '../schema.ts'

export interface KindDef {
  kind: string
  plural: string
  /** Names that a command line takes as well. */
  short: readonly string[]
  doc: string
  /** apiVersions accepted, the preferred one first. */
  apiVersions: readonly string[]
  scope: 'namespaced' | 'cluster'
  /** Whether the name becomes a DNS label of a host name. */
  labelName: boolean
  /** Absent: the kind has no spec that we read. */
  spec?: Schema
  /** The field that the spec is called in documents; absent: `spec`. */
  body?: 'data'
  /** Entries of the body whose text is YAML of its own: for `explain`. */
  texts?: Readonly<Record<string, Field>>
  /** Kubernetes' own: fields that we do not know are left alone. */
  open: boolean
  /** Defaults that depend on the whole object; checks between its spec and its metadata. */
  finish?(object: MeshObject, report: Report): void
  /** Checks against everything else that is applied with the object. */
  compare?(object: MeshObject, all: readonly MeshObject[], report: Report): void
}
