/**
 * Extensions of a chunk, RFC 9112 section 7.1.1: `;name`, `;name=token`, `;name="text"`, checked byte by byte and never
 * kept. In: a state and a byte. Out: the next state. Leaf, no memory.
 *
 *   START --> NAME --> AFTER_NAME --=--> VALUE --> TOKEN --> AFTER_VALUE        NAME, TOKEN, CLOSED, AFTER_*: --;--> START
 *                                        VALUE --"--> QUOTED <--> ESCAPED       QUOTED --"--> CLOSED --> AFTER_VALUE
 */
import { CR, FIELD, HTAB, SEMICOLON, SP, TCHAR } from '../bytes.ts'

export const EXTENSION_START = 0
const NAME = 1
const AFTER_NAME = 2
const VALUE = 3
const TOKEN = 4
const QUOTED = 5
const ESCAPED = 6
/** Right behind the closing quote. */
const CLOSED = 7
/** White space has followed the value. */
const AFTER_VALUE = 8
export const EXTENSION_END = 9
export const EXTENSION_BAD = 10

const EQUALS = 0x3d
const QUOTE = 0x22
const BACKSLASH = 0x5c

/** The state behind `byte`. */
export function extensionStep(state: number, byte: number): number {
  const space = byte === SP || byte === HTAB
  switch (state) {
    case EXTENSION_START:
      return space ? EXTENSION_START : TCHAR[byte] === 1 ? NAME : EXTENSION_BAD
    case NAME:
      if (TCHAR[byte] === 1) return NAME
      if (space) return AFTER_NAME
      return byte === EQUALS ? VALUE : ended(byte)
    case AFTER_NAME:
      if (space) return AFTER_NAME
      if (byte === EQUALS) return VALUE
      return byte === CR ? EXTENSION_BAD : ended(byte)
    case VALUE:
      if (space) return VALUE
      return byte === QUOTE ? QUOTED : TCHAR[byte] === 1 ? TOKEN : EXTENSION_BAD
    case TOKEN:
      return TCHAR[byte] === 1 ? TOKEN : space ? AFTER_VALUE : ended(byte)
    case QUOTED:
      if (byte === QUOTE) return CLOSED
      return byte === BACKSLASH ? ESCAPED : FIELD[byte] === 1 ? QUOTED : EXTENSION_BAD
    case ESCAPED:
      return FIELD[byte] === 1 ? QUOTED : EXTENSION_BAD
    case CLOSED:
      return space ? AFTER_VALUE : ended(byte)
    default: // AFTER_VALUE
      if (space) return AFTER_VALUE
      return byte === CR ? EXTENSION_BAD : ended(byte)
  }
}

function ended(byte: number): number {
  return byte === CR ? EXTENSION_END : byte === SEMICOLON ? EXTENSION_START : EXTENSION_BAD
}
