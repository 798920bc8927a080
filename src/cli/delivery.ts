/** The line after a change: how many proxies have it, and how long it took to the last ACK. */
import type { Delivery } from '../client/contract.ts'
import { milliseconds } from './age.ts'
import type { Context } from './context.ts'
import { QuietExit } from './errors.ts'
import { EXIT } from './exit-code.ts'

const DEFAULT_WAIT_MS = 10_000

/** Waits for the proxies and prints; a refused or missing ACK ends the verb with its exit code. */
export async function printDelivery(context: Context, revision: number, timeoutMs = DEFAULT_WAIT_MS): Promise<void> {
  const delivery = await context.control.delivery(revision, timeoutMs)
  context.print(deliveryLine(delivery))
  for (const nack of delivery.nacks) context.note(`  ${nack.proxy} refused ${nack.type}: ${nack.detail}`)
  if (delivery.nacks.length > 0) throw new QuietExit(EXIT.failure)
  if (delivery.acked < delivery.proxies) throw new QuietExit(EXIT.timeout)
}

/** `revision 8 acked by 9/9 proxies in 4.2 ms` */
export function deliveryLine(delivery: Delivery): string {
  const { revision, proxies, acked, ms, pending } = delivery
  if (proxies === 0) return `revision ${revision} stored; no proxy is connected`
  const time = ms === undefined ? '' : ` in ${milliseconds(ms.max)}`
  const waiting = acked === proxies || pending.length === 0 ? '' : `; still waiting for ${pending.join(', ')}`
  return `revision ${revision} acked by ${acked}/${proxies} ${proxies === 1 ? 'proxy' : 'proxies'}${time}${waiting}`
}
