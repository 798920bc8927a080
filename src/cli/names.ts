/** The name in `deployment/checkout-v1` or `checkout-v1`, for verbs whose targets are workloads and pods. */
export function bareName(target: string): string {
  const slash = target.indexOf('/')
  return slash === -1 ? target : target.slice(slash + 1)
}
