/** DNS messages as an attacker writes them (RFC 1035), over UDP and TCP. In: a name and a type. Out: addresses. */
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'

const WITHIN_MS = 1000
const HEAD_BYTES = 12
export const TYPE = { A: 1, AAAA: 28, AXFR: 252, ANY: 255, TXT: 16 } as const

export interface DnsAnswer {
  /** -1: no answer. */
  code: number
  answers: number
  addresses: string[]
}

const NONE: DnsAnswer = { code: -1, answers: 0, addresses: [] }

/** The server that this pod is told to ask, where it is the mesh's own. */
export function meshNameserver(): string | undefined {
  return /^nameserver (169\.254\.\S+)$/m.exec(readFileSync('/etc/resolv.conf', 'utf8'))?.[1]
}

export function question(name: string, type: number, id = 4711): Buffer {
  const head = Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0])
  return Buffer.concat([head, encodeName(name), Buffer.from([type >> 8, type & 255, 0, 1])])
}

/** An answer that nobody asked for: this name is at this address. */
export function forgedAnswer(name: string, address: string, id: number): Buffer {
  const head = Buffer.from([id >> 8, id & 255, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0])
  const asked = Buffer.concat([encodeName(name), Buffer.from([0, 1, 0, 1])])
  const record = Buffer.from([0xc0, HEAD_BYTES, 0, 1, 0, 1, 0, 0, 0x0e, 0x10, 0, 4, ...address.split('.').map(Number)])
  return Buffer.concat([head, asked, record])
}

export function askUdp(server: string, name: string, type: number): Promise<DnsAnswer> {
  return new Promise((done) => {
    const socket = createSocket('udp4')
    const end = (answer: DnsAnswer): void => {
      clearTimeout(timer)
      socket.close()
      done(answer)
    }
    const timer = setTimeout(() => end(NONE), WITHIN_MS)
    socket.on('error', () => end(NONE))
    socket.on('message', (message) => end(read(message)))
    socket.send(question(name, type), 53, server)
  })
}

export function askTcp(server: string, name: string, type: number): Promise<DnsAnswer> {
  return new Promise((done) => {
    const socket = connect(53, server)
    let bytes = Buffer.alloc(0)
    const end = (answer: DnsAnswer): void => {
      clearTimeout(timer)
      socket.destroy()
      done(answer)
    }
    const timer = setTimeout(() => end(NONE), WITHIN_MS)
    socket.on('error', () => end(NONE))
    socket.on('close', () => end(NONE))
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      if (bytes.length > 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) end(read(bytes.subarray(2)))
    })
    const message = question(name, type)
    socket.write(Buffer.concat([Buffer.from([message.length >> 8, message.length & 255]), message]))
  })
}

/** Addresses in the answer section; names are compressed, so records are found by walking. */
function read(message: Buffer): DnsAnswer {
  const code = message.readUInt8(3) & 15
  const answers = message.readUInt16BE(6)
  const addresses: string[] = []
  let at = skipName(message, HEAD_BYTES) + 4
  for (let n = 0; n < answers && at + 12 <= message.length; n++) {
    at = skipName(message, at)
    const [type, length] = [message.readUInt16BE(at), message.readUInt16BE(at + 8)]
    at += 10
    if (type === TYPE.A) addresses.push(message.subarray(at, at + 4).join('.'))
    at += length
  }
  return { code, answers, addresses }
}

function skipName(message: Buffer, from: number): number {
  let at = from
  while (at < message.length && message.readUInt8(at) !== 0) {
    if (message.readUInt8(at) >= 0xc0) return at + 2
    at += message.readUInt8(at) + 1
  }
  return at + 1
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '')
  return Buffer.concat([...labels.map((label) => Buffer.from([label.length, ...Buffer.from(label)])), Buffer.from([0])])
}
