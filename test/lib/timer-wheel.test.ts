import t from 'tap'
import type { Clock } from '../../src/lib/clock.ts'
import { TimerEntry, TimerWheel } from '../../src/lib/timer-wheel.ts'

/** A clock that moves when told, and runs what is due then. */
function manualClock(): Clock & { advance(ms: number): void; pending(): number } {
  let nowMs = 1000.5
  let timers: { atMs: number; run: () => void }[] = []
  return {
    nowMs: () => nowMs,
    nowEpochMs: () => nowMs,
    after: (delayMs, run) => {
      const timer = { atMs: nowMs + Math.max(1, delayMs), run }
      timers.push(timer)
      return () => (timers = timers.filter((other) => other !== timer))
    },
    advance(ms) {
      const untilMs = nowMs + ms
      for (;;) {
        const [next] = timers.filter((timer) => timer.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)
        if (next === undefined) break
        nowMs = Math.max(nowMs, next.atMs)
        timers = timers.filter((timer) => timer !== next)
        next.run()
      }
      nowMs = untilMs
    },
    pending: () => timers.length,
  }
}

void t.test('deadlines are never early and at most a tick late', async (t) => {
  const clock = manualClock()
  const wheel = new TimerWheel(clock)
  for (const delayMs of [0, 1, 19, 20, 21, 999, 9_990, 10_200, 10_300, 60_000, 3_600_000, 5_000_000]) {
    let firedMs = -1
    const startMs = clock.nowMs()
    wheel.schedule(new TimerEntry(() => (firedMs = clock.nowMs() - startMs)), delayMs)
    clock.advance(delayMs + 45)
    t.ok(firedMs >= delayMs && firedMs <= delayMs + 41, `${delayMs}: ${firedMs}`)
    clock.advance(13)
  }
  t.equal(clock.pending(), 0, 'nothing ticks while nothing is due')
})

void t.test('cancelled ones stay silent, also from another callback of the same tick', async (t) => {
  const clock = manualClock()
  const wheel = new TimerWheel(clock)
  const fired: string[] = []
  const second = new TimerEntry(() => fired.push('second'))
  const first = new TimerEntry(() => {
    fired.push('first')
    wheel.cancel(second)
  })
  wheel.schedule(first, 30)
  wheel.schedule(second, 30)
  const moved = new TimerEntry(() => fired.push(`moved at ${Math.round((clock.nowMs() - 1000.5) / 100)}`))
  wheel.schedule(moved, 50)
  wheel.schedule(moved, 500)
  t.ok(moved.armed)
  const again = new TimerEntry(() => {
    if (fired.push('again') < 6) wheel.schedule(again, 10)
  })
  wheel.schedule(again, 10)
  clock.advance(1000)
  t.notOk(fired.includes('second'))
  t.ok(fired.includes('moved at 5'))
  t.ok(fired.filter((f) => f === 'again').length > 2)
  t.equal(clock.pending(), 0)
})
