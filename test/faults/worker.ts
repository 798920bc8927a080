/**
 * What would take CPU of the base load's generator, in a process of its own: `worker.ts attack PORT INDEX MS`,
 * `worker.ts calls PORT COUNT`. Prints its result as JSON.
 */
import { ATTACKS, type AttackResult, runAttack } from '../helpers/h2-attacks.ts'
import { cancelledCalls } from './grpc-calls.ts'

/** A client that was thrown out, and means it. */
const AGAIN_MS = 250

const [what, port = '0', first = '0', ms = '0'] = process.argv.slice(2)

/** The same attack again and again; the one that took longest to be ended counts. */
async function attack(index: number, forMs: number): Promise<AttackResult & { times: number }> {
  const untilMs = performance.now() + forMs
  const worst = { endedMs: 0, code: -1, framesSent: 0, times: 0 }
  do {
    const result = await runAttack(Number(port), ATTACKS[index]!, forMs)
    worst.times++
    worst.framesSent += result.framesSent
    if (result.endedMs >= worst.endedMs) Object.assign(worst, { endedMs: result.endedMs, code: result.code })
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
  } while (performance.now() < untilMs)
  return worst
}

const result =
  what === 'attack' ? await attack(Number(first), Number(ms)) : await cancelledCalls(Number(port), Number(first))
process.stdout.write(`${JSON.stringify(result)}\n`)
process.exit(0)
