// Buys at a steady rate, whether or not the last purchase is done, and says every ten seconds how it went.
import { setTimeout as sleep } from 'node:timers/promises'

const rate = Number(process.env.RATE ?? 20)
const url = process.env.TARGET ?? 'http://frontend-service:8080/buy'

let sent = 0
let failed = 0

async function buy() {
  sent++
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(15_000) })
    await response.arrayBuffer()
    if (!response.ok) failed++
  } catch {
    failed++
  }
}

// the shop opens when its services do, in whatever order they start
while (failed === sent) {
  await buy()
  if (failed === sent) await sleep(250)
}
sent = failed = 0

// by the clock, not by counting ticks: a late tick sends what it missed, one second's worth at most
let next = performance.now()
setInterval(() => {
  const now = performance.now()
  next = Math.max(next, now - 1000)
  for (; next <= now; next += 1000 / rate) void buy()
}, 10)

setInterval(() => {
  console.log(`${sent} purchases in 10 s, ${failed} failed`)
  sent = failed = 0
}, 10_000)
