/**
 * Runs the attacks in a mesh that runs the shop. In: its APIs, the traps on this machine. Out: a result per attack.
 * Before them payment reads the secret, and this process springs a trap: an attack that is refused could have succeeded.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { connect } from 'node:net'
import type { EnvResponse } from '../client/contract.ts'
import { PlainError } from '../client/errors.ts'
import { entryCommand } from '../lib/entry.ts'
import type { AttackResult } from './attack.ts'
import { ATTACKER, gatherFacts, TRUSTED, VICTIM, type MeshAccess } from './gather.ts'
import type { HostTraps } from './host-traps.ts'

const NAMESPACE = 'default'
const MAX_SAID = 2000
const SERVED_WITHIN_MS = 10_000
const POLL_MS = 100

export interface AttackRun extends MeshAccess {
  traps: HostTraps
  /** Each as soon as it is known. */
  onResult?: (result: AttackResult) => void
}

export async function runAttacks({ traps, onResult, ...mesh }: AttackRun): Promise<AttackResult[]> {
  await traps.openLate()
  await springTrap(traps)
  const secret = await secretAsPayment(mesh)
  const facts = await gatherFacts(mesh, traps.host, secret)
  const results: AttackResult[] = []
  await runInPod(await mesh.supervisor.env(ATTACKER, NAMESPACE), [], facts, (line) => {
    const result = line as AttackResult
    results.push(result)
    onResult?.(result)
  })
  return results
}

/**
 * The positive control of every attack on user-db. Registry and sidecars may know of a ready pod a moment after its
 * supervisor does.
 */
async function secretAsPayment(mesh: MeshAccess): Promise<string> {
  const deadlineMs = performance.now() + SERVED_WITHIN_MS
  for (;;) {
    const answer = await askAsPayment(mesh)
    const secret = /"card":\s*"(\d+)"/.exec(answer)?.[1]
    if (secret !== undefined) return secret
    if (performance.now() > deadlineMs)
      throw new PlainError(`${TRUSTED} itself does not get the secret from ${VICTIM}: ${answer.slice(0, MAX_SAID)}`)
    await new Promise((done) => setTimeout(done, POLL_MS))
  }
}

async function askAsPayment({ supervisor, control }: MeshAccess): Promise<string> {
  const { items } = await control.services()
  const service = items.find(({ endpoints }) => endpoints.some((one) => one.pod.startsWith(VICTIM)))
  const port = service?.ports[0]?.port
  if (service === undefined || port === undefined) return 'no Service leads to it'
  let answer = ''
  const place = await supervisor.env(TRUSTED, NAMESPACE)
  await runInPod(place, ['control'], { service: service.name, port }, (line) => (answer = String(line)))
  return answer
}

/** The positive control of every attack on this machine. */
async function springTrap({ host }: HostTraps): Promise<void> {
  const text = await new Promise<string>((done) => {
    const socket = connect(host.loopbackPort, '127.0.0.1', () => socket.write('\r\n'))
    let all = ''
    socket.on('data', (chunk: Buffer) => (all += chunk.toString()))
    socket.on('error', (error) => done(String(error)))
    socket.on('close', () => done(all))
  })
  if (!text.includes(host.secret)) throw new PlainError(`the listener on this machine answers ${text.slice(0, 200)}`)
}

function runInPod(
  { enter, cwd, env }: EnvResponse,
  words: readonly string[],
  input: object,
  onLine: (line: unknown) => void,
): Promise<void> {
  const { command, args } = entryCommand('attacker')
  const line: string[] = [...enter, command, ...args, ...words]
  const [file = command, ...rest] = line
  const child = spawn(file, rest, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'], detached: true })
  let said = ''
  child.stdin.on('error', () => undefined)
  child.stderr.on('data', (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-MAX_SAID)))
  // it ends when its input does: not before it is done
  child.stdin.write(`${JSON.stringify(input)}\n`)
  createInterface({ input: child.stdout }).on('line', (line) => onLine(JSON.parse(line)))
  return new Promise((done, fail) => {
    child.once('error', fail)
    child.once('close', (code) => {
      if (code === 0) done()
      else fail(new PlainError(`the attacker ended with ${code}: ${said.trim()}`))
    })
  })
}
