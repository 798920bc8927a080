// Draws the charts of the page with uPlot. In: `charts` (html/charts.ts), which stands before this script.
const COLOURS = [
  '#2563eb',
  '#0f766e',
  '#d97706',
  '#dc2626',
  '#7c3aed',
  '#4b5563',
  '#db2777',
  '#65a30d',
  '#0891b2',
  '#92400e',
]
const WIDTH = 860
const HEIGHT = 320

/** Bars of one group stand side by side: each is a series of its own, shifted along the axis. */
function barsOf(chart) {
  const names = chart.series.map((one) => one.name)
  const values = chart.series.map((one) => one.values[0])
  return { ...chart, xNames: names, series: [{ name: chart.yLabel, values }], isBars: true }
}

function draw(original) {
  const chart = original.kind === 'bars' ? barsOf(original) : original
  const xs = chart.xNames.map((_, i) => i)
  const label = (_, splits) => splits.map((at) => (Number.isInteger(at) ? (chart.xNames[at] ?? '') : ''))
  const series = chart.series.map((one, i) => ({
    label: one.name,
    stroke: COLOURS[i % COLOURS.length],
    width: 2,
    points: { show: true, size: 6 },
    value: (_, value) => (value == null ? '-' : value.toPrecision(3)),
    ...(chart.isBars ? { fill: '#93c5fd', paths: uPlot.paths.bars({ size: [0.6, 80] }), points: { show: false } } : {}),
  }))
  const holder = document.createElement('section')
  holder.innerHTML = '<h3></h3>'
  holder.firstChild.textContent = chart.title
  document.getElementById('charts').append(holder)
  const options = {
    width: WIDTH,
    height: HEIGHT,
    scales: { x: { time: false, range: [-0.5, xs.length - 0.5] }, y: { range: (_, low, high) => [0, high * 1.1] } },
    axes: [
      { values: label, splits: () => xs, label: chart.xLabel || undefined },
      { label: chart.yLabel, size: 70 },
    ],
    series: [{ label: chart.xLabel || 'cell', value: (_, at) => chart.xNames[at] ?? '' }, ...series],
  }
  new uPlot(options, [xs, ...chart.series.map((one) => one.values)], holder)
}

charts.forEach(draw)
