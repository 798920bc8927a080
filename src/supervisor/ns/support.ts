/** What this machine allows of mode `ns`. */
export interface NamespaceSupport {
  ok: boolean
  findings: { what: string; level: 'ok' | 'bad'; hint?: string }[]
}

export function namespaceSupport(): Promise<NamespaceSupport> {
  return Promise.resolve({ ok: true, findings: [] })
}
