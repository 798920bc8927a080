/** Access by identity, address and request (Envoy: extensions.filters.{http,network}.rbac.v3). One per push. */
import { Rbac } from '../../xds/rbac.ts'
import type { envoy } from '../../xds/generated/xds.js'
import type { Exchange } from '../exchange.ts'
import { CONTINUE, type FilterStatus, type HttpFilter, type NetworkFilter, REPLY } from './chain.ts'

export class RbacFilter implements HttpFilter, NetworkFilter {
  readonly #rules: Rbac

  /** Throws an Error for rules that cannot be honoured. */
  constructor(rules: envoy.config.rbac.v3.RBAC) {
    this.#rules = new Rbac(rules)
  }

  onRequestHead(x: Exchange): FilterStatus {
    const details = this.#refusal(x)
    if (details === '') return CONTINUE
    x.fault = 'rbac_denied'
    x.responseCodeDetails = details
    return REPLY
  }

  onConnection(x: Exchange): FilterStatus {
    const details = this.#refusal(x)
    if (details === '') return CONTINUE
    x.fault = 'rbac_denied'
    x.connectionTerminationDetails = details
    return REPLY
  }

  /** Who refused it, in Envoy's words; '' is nobody. */
  #refusal(x: Exchange): string {
    const policy = this.#rules.matched(x)
    if ((policy !== '') !== this.#rules.denies) return ''
    return `rbac_access_denied_matched_policy[${policy === '' ? 'none' : policy}]`
  }
}
