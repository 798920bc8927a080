/** PROXY protocol headers, as a forger writes them. */

const SIGNATURE = '0d0a0d0a000d0a515549540a'

export interface End {
  host: string
  port: number
}

/** Version 2, IPv4 addresses. */
export function proxyV2(source: End, destination: End): Buffer {
  const body = Buffer.alloc(12)
  for (const [at, { host }] of [source, destination].entries())
    host.split('.').forEach((part, i) => body.writeUInt8(Number(part), 4 * at + i))
  body.writeUInt16BE(source.port, 8)
  body.writeUInt16BE(destination.port, 10)
  return Buffer.concat([Buffer.from(`${SIGNATURE}2111000c`, 'hex'), body])
}

/** Version 2, LOCAL: a proxy's own connection, without addresses. */
export function proxyV2Local(): Buffer {
  return Buffer.from(`${SIGNATURE}20000000`, 'hex')
}

export function proxyV1(source: End, destination: End): Buffer {
  return Buffer.from(`PROXY TCP4 ${source.host} ${destination.host} ${source.port} ${destination.port}\r\n`)
}
