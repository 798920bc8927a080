/**
 * What is to be done once at the end of a turn of the event loop, after all reads of the turn: connections that many
 * streams have written to then write once. Owns one immediate, as long as anybody waits.
 */

export interface TurnEndHandler {
  onTurnEnd(): void
}

let waiting: TurnEndHandler[] = []
let spare: TurnEndHandler[] = []

/** Each caller once per turn: it remembers itself that it waits. */
export function atTurnEnd(handler: TurnEndHandler): void {
  if (waiting.push(handler) === 1) setImmediate(run)
}

function run(): void {
  const list = waiting
  waiting = spare
  for (let i = 0; i < list.length; i++) list[i]!.onTurnEnd()
  while (list.length > 0) list.pop() // setting a length costs
  spare = list
}
