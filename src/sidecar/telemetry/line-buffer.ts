/**
 * A buffer that log lines are written into byte by byte. In: field values as strings (header bytes as latin1).
 * Out: printable ASCII; quotes, backslashes, control bytes and bytes above 0x7E become `\xNN` (nginx's way), so
 * that no header can end a field or a line. Absent values ('') become `-`.
 */

const BUFFER_BYTES = 128 * 1024
/** Longer values are cut, so that a line has a greatest length: 24 fields of this and the text between. */
const MAX_FIELD_BYTES = 2048
const MAX_LINE_BYTES = 25 * (MAX_FIELD_BYTES + 8)

const SPACE = 0x20
const QUOTE = 0x22
const BACKSLASH = 0x5c
const LAST_PRINTABLE = 0x7e
const DASH = 0x2d
const ZERO = 0x30
const HEX = Buffer.from('0123456789ABCDEF', 'latin1')

export class LineBuffer {
  readonly #bytes = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  #at = 0
  #second = -1
  readonly #secondText = Buffer.alloc(20)

  /** The next line might not fit: take() first. */
  isNearlyFull(): boolean {
    return this.#at > BUFFER_BYTES - MAX_LINE_BYTES
  }

  /** A copy of what was put; the buffer is empty after it. */
  take(): Buffer {
    const out = Buffer.from(this.#bytes.subarray(0, this.#at))
    this.#at = 0
    return out
  }

  /** Our own text, known to be harmless. */
  putRaw(text: string): void {
    for (let i = 0; i < text.length; i++) this.#bytes[this.#at++] = text.charCodeAt(i)
  }

  /** A value between quotes: blanks stay. */
  putField(value: string): void {
    this.#putEscaped(value, SPACE)
  }

  /** A value without quotes around it: blanks are escaped too. */
  putWord(value: string): void {
    this.#putEscaped(value, SPACE + 1)
  }

  /** Within a text of JSON: what would end it is written as `\uNNNN`. */
  putJsonText(value: string): void {
    const end = this.#at + MAX_FIELD_BYTES
    for (let i = 0; i < value.length && this.#at < end; i++) {
      const c = value.charCodeAt(i)
      if (c >= SPACE && c <= LAST_PRINTABLE && c !== QUOTE && c !== BACKSLASH) this.#bytes[this.#at++] = c
      else this.putRaw(`\\u${c.toString(16).padStart(4, '0')}`)
    }
  }

  /** hot: one pass, no slices. */
  #putEscaped(value: string, firstAllowed: number): void {
    const bytes = this.#bytes
    let at = this.#at
    if (value.length === 0) bytes[at++] = DASH
    const end = at + MAX_FIELD_BYTES
    for (let i = 0; i < value.length && at < end; i++) {
      const c = value.charCodeAt(i)
      if (c >= firstAllowed && c <= LAST_PRINTABLE && c !== QUOTE && c !== BACKSLASH) {
        bytes[at++] = c
      } else {
        bytes[at++] = BACKSLASH
        bytes[at++] = 0x78
        bytes[at++] = HEX[(c >> 4) & 15]!
        bytes[at++] = HEX[c & 15]!
      }
    }
    this.#at = at
  }

  /** A whole number >= 0; fractions are cut off. */
  putInteger(value: number): void {
    let rest = Math.floor(value)
    let scale = 1
    while (scale * 10 <= rest) scale *= 10
    for (; scale >= 1; scale /= 10) {
      const digit = Math.floor(rest / scale)
      this.#bytes[this.#at++] = ZERO + digit
      rest -= digit * scale
    }
  }

  /** The same; `none` stands for a negative one, which there is not. */
  putNumber(value: number, none: string): void {
    if (value < 0) this.putRaw(none)
    else this.putInteger(value)
  }

  /** `2026-01-31T12:00:00.000Z`; the text of the second is made once a second. */
  putTime(epochMs: number): void {
    const second = Math.floor(epochMs / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#secondText.write(new Date(second * 1000).toISOString(), 0, 20, 'latin1')
    }
    this.#at += this.#secondText.copy(this.#bytes, this.#at)
    const ms = Math.floor(epochMs - second * 1000)
    this.#bytes[this.#at++] = ZERO + Math.floor(ms / 100)
    this.#bytes[this.#at++] = ZERO + (Math.floor(ms / 10) % 10)
    this.#bytes[this.#at++] = ZERO + (ms % 10)
    this.putRaw('Z')
  }
}
