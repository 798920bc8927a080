import t from 'tap'
import { PushQueue } from '../../../src/control/xds-server/push-queue.ts'
import { ManualClock } from '../../helpers/manual-clock.ts'

function queue(busy = { now: false }): {
  clock: ManualClock
  queue: PushQueue
  pushes: number[]
  busy: { now: boolean }
} {
  const clock = new ManualClock()
  const pushes: number[] = []
  const startMs = clock.nowMs()
  return {
    clock,
    pushes,
    busy,
    queue: new PushQueue({ clock, busy: () => busy.now, push: () => pushes.push(clock.nowMs() - startMs) }),
  }
}

t.test('a lone change goes out at once, without a timer', async (t) => {
  const q = queue()
  q.queue.change()
  t.same(q.pushes, [0])
  q.clock.advance(1000)
  q.queue.change()
  t.same(q.pushes, [0, 1000])
})

t.test('changes close together are joined: 100 ms quiet', async (t) => {
  const q = queue()
  for (let i = 0; i < 4; i++) {
    q.queue.change()
    q.clock.advance(30)
  }
  t.same(q.pushes, [0])
  q.clock.advance(1000)
  t.same(q.pushes, [0, 190])
})

t.test('a stream of changes goes out every 10 s', async (t) => {
  const q = queue()
  for (let i = 0; i < 500; i++) {
    q.queue.change()
    q.clock.advance(50)
  }
  t.same(q.pushes, [0, 10_050, 20_050])
})

t.test('while a proxy owes an answer, a change is not alone', async (t) => {
  const q = queue({ now: true })
  q.queue.change()
  t.same(q.pushes, [])
  t.equal(q.queue.holding, true)
  q.clock.advance(100)
  t.same(q.pushes, [100])
  t.equal(q.queue.holding, false)
})

t.test('nothing is pushed after close', async (t) => {
  const q = queue({ now: true })
  q.queue.change()
  q.queue.close()
  q.clock.advance(1000)
  t.same(q.pushes, [])
})
