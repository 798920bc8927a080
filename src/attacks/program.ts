/**
 * The attacker: a program in the frontend's pod. In: a line of facts (JSON) on standard input. Out: a line per attack
 * (JSON) on standard output. With `control` as its argument it only asks user-db for the secret, as payment may.
 */
import { createInterface } from 'node:readline'
import { refused, type AttackResult, type Outcome } from './attack.ts'
import type { Facts } from './facts.ts'
import { ATTACKS } from './list.ts'
import { httpText, talk } from './talk.ts'

const WITHIN_MS = 60_000

const input = createInterface({ input: process.stdin })
const value = await new Promise<string>((done) => input.once('line', done))
// whoever started it is gone
input.once('close', () => process.exit(1))
if (process.argv[2] === 'control') await control(JSON.parse(value) as { service: string; port: number })
else await attackAll(JSON.parse(value) as Facts)
process.exit(0)

async function control({ service, port }: { service: string; port: number }): Promise<void> {
  const { text } = await talk({ host: service, port }, { first: httpText({ host: service }) })
  process.stdout.write(`${JSON.stringify(text)}\n`)
}

async function attackAll(facts: Facts): Promise<void> {
  // of a connection that an attack has left behind
  process.on('uncaughtException', (error) => process.stderr.write(`${error.stack}\n`))
  for (const { name, tries, env, run } of ATTACKS) {
    const outcome = await Promise.race([attempt(() => run(facts)), late()])
    const result: AttackResult = { name, tries, promised: facts.mode === 'ns' || env, ...outcome }
    process.stdout.write(`${JSON.stringify(result)}\n`)
  }
}

async function attempt(work: () => Outcome | Promise<Outcome>): Promise<Outcome> {
  try {
    return await work()
  } catch (error) {
    return refused((error as NodeJS.ErrnoException).code ?? String(error))
  }
}

function late(): Promise<Outcome> {
  return new Promise((done) => {
    setTimeout(() => done(refused('it takes too long')), WITHIN_MS).unref()
  })
}
