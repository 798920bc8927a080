/**
 * What is to be done once at the end of a turn of the event loop, after all reads of the turn: connections that many
 * streams have written to then write once. Owns one immediate, as long as anybody waits.
 */

export interface TurnEndHandler {
  onTurnEnd(): void
}

const waiting: TurnEndHandler[] = []

/** Each caller once per turn: it remembers itself that it waits. Who is called may have others called in the same turn. */
export function atTurnEnd(handler: TurnEndHandler): void {
  if (waiting.push(handler) === 1) setImmediate(run)
}

function run(): void {
  for (let i = 0; i < waiting.length; i++) waiting[i]!.onTurnEnd()
  while (waiting.length > 0) waiting.pop() // setting a length costs
}
