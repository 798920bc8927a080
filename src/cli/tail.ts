/**
 * Follows a file that another process appends to. In: its path. Out: whole lines, in order. A file that is not there
 * yet, is cut, or is replaced by a new one is read from its start. Holds no descriptor between two looks.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'

const CHUNK_BYTES = 64 * 1024

export class FileTail {
  readonly #path: string
  #at = 0
  #inode = 0
  #rest = ''
  #decoder = new StringDecoder('utf8')

  constructor(path: string) {
    this.#path = path
  }

  /** Lines that are complete since the last call. */
  read(): string[] {
    let fd: number
    try {
      fd = openSync(this.#path, 'r')
    } catch {
      return []
    }
    try {
      const { size, ino } = fstatSync(fd)
      if (ino !== this.#inode || size < this.#at) this.#restart(ino)
      return this.#readFrom(fd)
    } finally {
      closeSync(fd)
    }
  }

  /** What has no end of line yet; '' if nothing. */
  rest(): string {
    const text = this.#rest
    this.#rest = ''
    return text
  }

  #restart(inode: number): void {
    this.#inode = inode
    this.#at = 0
    this.#rest = ''
    this.#decoder = new StringDecoder('utf8')
  }

  #readFrom(fd: number): string[] {
    const buffer = Buffer.alloc(CHUNK_BYTES)
    let text = this.#rest
    for (;;) {
      const count = readSync(fd, buffer, 0, CHUNK_BYTES, this.#at)
      if (count === 0) break
      this.#at += count
      text += this.#decoder.write(buffer.subarray(0, count))
    }
    const lines = text.split('\n')
    this.#rest = lines.pop() ?? ''
    return lines
  }
}
