/** Which charts a run has. In: its record. Out: series of numbers, as the page's script draws them. */
import type { RunRecord } from '../run.ts'
import type { Measurement, Metric } from '../stats/results.ts'
import { median } from '../stats/summary.ts'

export interface Chart {
  title: string
  kind: 'lines' | 'bars'
  xLabel: string
  yLabel: string
  /** Shown below the axis instead of numbers. */
  xNames: readonly string[]
  series: readonly { name: string; values: readonly (number | null)[] }[]
}

/** Cells along the axis, a line for each subject. */
export function chartsOf({ measurements, curves }: RunRecord): Chart[] {
  const charts = [
    byCell(measurements, 'hop', 'cpuUs', 'CPU of both proxies per request, by connections', 'us'),
    byCell(measurements, 'hop', 'requestsPerSecond', 'Requests per second, closed loop', '1/s'),
    bySubject(measurements, 'features', 'cpuUs', 'What features add: CPU of the pair per request', 'us'),
    bySubject(measurements, 'plain', 'cpuUs', 'No TLS: CPU per request', 'us'),
    byCell(measurements, 'bodies', 'cpuUsPerMb', 'CPU per MB of body', 'us'),
    bySubject(measurements, 'handshakes', 'cpuUs', 'CPU of the accepting side per mutual TLS connection', 'us'),
    bySubject(measurements, 'grpc', 'cpuUs', 'CPU per unary gRPC call', 'us'),
    ...latencyCharts(curves),
  ]
  return charts.filter((chart) => chart.series.length > 0)
}

function byCell(all: readonly Measurement[], row: string, metric: Metric, title: string, yLabel: string): Chart {
  const chosen = all.filter((one) => one.row === row && one.metric === metric)
  const cells = [...new Set(chosen.map(({ cell }) => cell))]
  const subjects = [...new Set(chosen.map(({ subject }) => subject))]
  return {
    title,
    yLabel,
    xLabel: '',
    xNames: cells,
    kind: cells.length > 1 ? 'lines' : 'bars',
    series: subjects.map((name) => ({
      name,
      values: cells.map((cell) => {
        const found = chosen.find((one) => one.subject === name && one.cell === cell)
        return found === undefined ? null : median(found.samples)
      }),
    })),
  }
}

function bySubject(all: readonly Measurement[], row: string, metric: Metric, title: string, yLabel: string): Chart {
  const chosen = all.filter((one) => one.row === row && one.metric === metric)
  const series = chosen.map(({ subject, samples }) => ({ name: subject, values: [median(samples)] }))
  return { title, yLabel, xLabel: '', xNames: [chosen[0]?.cell ?? ''], kind: 'bars', series }
}

function latencyCharts(curves: RunRecord['curves']): Chart[] {
  const cells = [...new Set(Object.keys(curves).map((key) => key.split('|')[0] ?? ''))]
  return cells.map((cell) => {
    const ofCell = Object.entries(curves).filter(([key]) => key.startsWith(`${cell}|`))
    return {
      title: `Latency from the intended start, ${cell}`,
      kind: 'lines',
      xLabel: 'percentile',
      yLabel: 'ms',
      xNames: (ofCell[0]?.[1] ?? []).map(([percentile]) => String(percentile)),
      series: ofCell.map(([key, curve]) => ({ name: key.split('|')[1] ?? '', values: curve.map(([, ms]) => ms) })),
    }
  })
}
