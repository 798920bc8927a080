/**
 * The start of an HTTP/1.1 request: what its head says, into the record, or why it is refused.
 * In: a parsed head. Out: a verdict; framing, method, target and authority. Owns what the last request said, since the
 * next one mostly says the same.
 */
import { LastText } from '../codec/bytes.ts'
import type { Head } from '../codec/head.ts'
import { Framing } from '../codec/http1/framing.ts'
import { parseTarget } from '../codec/http1/target.ts'
import { readUnderscores } from '../codec/underscores.ts'
import { BAD_MESSAGE, DONE, NOT_SERVED, UPGRADE_REQUIRED, type Verdict } from '../codec/verdict.ts'
import type { Exchange } from '../exchange.ts'
import type { ConnectionInfo, HttpSettings } from '../stream/context.ts'
import { resolveTarget } from './request-target.ts'

export class RequestStart {
  readonly framing = new Framing()
  readonly #settings: HttpSettings
  readonly #info: ConnectionInfo
  readonly #method = new LastText()
  readonly #target = new LastText()
  /** What was made of the last head, where it was taken. */
  #isKnown = false
  #knownMethod = ''
  #knownVersion = ''
  #knownAuthority = ''
  #knownPath = ''

  constructor(settings: HttpSettings, info: ConnectionInfo) {
    this.#settings = settings
    this.#info = info
  }

  /** DONE, or the status that refuses it. A CONNECT's target stands in `x.authority`. `repeats`: the head is the last one. */
  // hot
  read(head: Head, x: Exchange, repeats: boolean): Verdict {
    if (!repeats || !this.#isKnown) return this.#readNew(head, x)
    x.reset()
    x.method = this.#knownMethod
    x.httpVersion = this.#knownVersion
    x.authority = this.#knownAuthority
    x.path = this.#knownPath
    return DONE
  }

  #readNew(head: Head, x: Exchange): Verdict {
    this.#isKnown = false
    const verdict = this.#check(head, x)
    if (verdict !== DONE || x.method === 'CONNECT') return verdict
    this.#isKnown = x.fault === ''
    this.#knownMethod = x.method
    this.#knownVersion = x.httpVersion
    this.#knownAuthority = x.authority
    this.#knownPath = x.path
    return DONE
  }

  #check(head: Head, x: Exchange): Verdict {
    const { protocol } = this.#settings
    const { framing } = this
    const verdict = framing.readRequest(head)
    x.reset()
    x.method = this.#method.read(head.bytes, head.methodStart, head.methodEnd)
    x.httpVersion = head.minor === 0 ? 'HTTP/1.0' : 'HTTP/1.1'
    if (verdict !== DONE) return verdict
    if (head.minor === 0 && !protocol.http1.acceptHttp10) return UPGRADE_REQUIRED
    if (protocol.common.underscores !== 'allow' && !readUnderscores(head, protocol.common.underscores))
      return BAD_MESSAGE
    x.authority = framing.authority
    if (x.authority === '' && protocol.http1.defaultHostForHttp10 !== '')
      x.authority = protocol.http1.defaultHostForHttp10
    const target = this.#target.read(head.bytes, head.targetStart, head.targetEnd)
    if (x.method === 'CONNECT') return this.#connect(x, target)
    // it would show a caller the headers that proxies added
    if (x.method === 'TRACE') return parseTarget('TRACE', target) === undefined ? BAD_MESSAGE : NOT_SERVED
    return resolveTarget(x, target, this.#info, protocol) ? DONE : BAD_MESSAGE
  }

  /** For the forward proxy's port, or where it is configured; elsewhere its form does not matter. */
  #connect(x: Exchange, target: string): Verdict {
    const { forwardProxy, protocol, routes } = this.#settings
    if (!forwardProxy && protocol.upgrades?.get('connect') !== true && routes.table?.allowsConnect !== true)
      return NOT_SERVED
    if (parseTarget('CONNECT', target) === undefined) return BAD_MESSAGE
    x.authority = target
    return DONE
  }
}
