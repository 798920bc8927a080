/**
 * What `up` does once a supervisor runs, here or in another process: apply, wait, show. In: clients, documents.
 * Out: the table of pods and where Services are published.
 */
import type { ApplyResponse, PodStatus, PsResponse, StoredObject } from '../client/contract.ts'
import { milliseconds } from './age.ts'
import type { Context } from './context.ts'
import { deliveryLine } from './delivery.ts'
import { interceptLine } from './intercept-line.ts'
import { meshLine, psTable, publishedLines, reasonLines } from './ps-table.ts'
import type { Source } from './sources.ts'
import { strictWarningNow } from './strict-warning.ts'
import { glyphsFor } from './style.ts'
import { applySources, objectLine } from './verbs/apply.ts'

/** Objects that the last `up` brought, and this one does not, are deleted. */
const PRUNE_OWNER = 'up'
const CONTROL_START_MS = 20_000
const POLL_MS = 50
const DELIVERY_WAIT_MS = 10_000

export interface BringUpOptions {
  /** `undefined`: nothing is applied; what is stored runs. */
  sources: readonly Source[] | undefined
  timeoutMs: number
  /** Ends the waiting early: the mesh is being stopped. */
  signal: AbortSignal
}

export interface BringUpResult {
  answer: PsResponse
  /** Pods that are not ready, after the wait. */
  waiting: PodStatus[]
}

export async function bringUp(
  context: Context,
  { sources, timeoutMs, signal }: BringUpOptions,
): Promise<BringUpResult> {
  const startedMs = performance.now()
  await context.control.ready(CONTROL_START_MS, signal)
  const applied = sources === undefined ? undefined : await applySources(context, sources, { pruneOwner: PRUNE_OWNER })
  if (applied !== undefined) printChanges(context, applied)
  await context.supervisor.refresh()
  const { answer, waiting } = await waitReady(context, startedMs + timeoutMs, signal)
  // the revision in which the last pod became ready, not the one that was applied: requests may follow at once
  const revision = signal.aborted ? 0 : (await context.control.info()).revision
  const delivery = signal.aborted ? undefined : await context.control.delivery(revision, DELIVERY_WAIT_MS)
  context.print(meshLine(answer, context.paint))
  context.print(psTable(answer.pods, { paint: context.paint, nowEpochMs: Date.now(), indent: '  ' }))
  for (const line of reasonLines(answer.pods, glyphsFor(process.env).branch)) context.print(line)
  const ready = answer.pods.length - waiting.length
  const took = milliseconds(performance.now() - startedMs)
  const counts =
    waiting.length === 0 ? `all ${ready} ready in ${took}` : `${ready} of ${answer.pods.length} ready after ${took}`
  if (delivery === undefined) context.print(counts)
  else {
    // from the commit to the ACK would count the start of the processes
    const { ms: _startIncluded, ...rest } = delivery
    context.print(`${counts}; ${deliveryLine(rest)}`)
  }
  for (const line of publishedLines(answer, context.paint)) context.print(line)
  context.print(context.paint('dim', await interceptLine(answer.mesh.intercept)))
  const warning = signal.aborted ? undefined : await strictWarningNow(context.control)
  if (warning !== undefined) context.note(`${context.paintErr('yellow', 'warning:')} ${warning}`)
  return { answer, waiting }
}

function printChanges({ print }: Context, { objects }: ApplyResponse): void {
  const unchanged = objects.filter((object) => object.action === 'unchanged').length
  for (const object of objects) if (object.action !== 'unchanged') print(objectLine(object, false))
  if (unchanged > 0) print(`${unchanged} ${unchanged === 1 ? 'object' : 'objects'} unchanged`)
}

/** Until each Deployment has its pods, and each pod is ready or has failed for good; at most until the deadline. */
async function waitReady(context: Context, deadlineMs: number, signal: AbortSignal): Promise<BringUpResult> {
  for (;;) {
    const [answer, deployments] = await Promise.all([context.supervisor.ps(), context.control.objects('Deployment')])
    const waiting = answer.pods.filter((pod) => !pod.ready)
    const pending = waiting.filter((pod) => pod.state !== 'failed')
    const complete = pending.length === 0 && missingPods(deployments.items, answer.pods) === 0
    if (complete || performance.now() > deadlineMs || signal.aborted) return { answer, waiting }
    await new Promise((done) => setTimeout(done, POLL_MS))
  }
}

/** How many pods the supervisor has yet to make. */
function missingPods(deployments: readonly StoredObject[], pods: readonly PodStatus[]): number {
  return deployments
    .map(({ metadata, spec }) => {
      const wanted = (spec as { replicas?: number }).replicas ?? 1
      const there = pods.filter((pod) => pod.workload === metadata.name && pod.namespace === metadata.namespace)
      return Math.max(0, wanted - there.length)
    })
    .reduce((sum, count) => sum + count, 0)
}
