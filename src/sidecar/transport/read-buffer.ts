/**
 * What all sockets are read into: a buffer of its own for each read would be most of the garbage of a proxy. Its bytes are
 * the reader's only until it returns; no socket is read within the read of another one.
 */
const READ_BYTES = 64 * 1024

export const READ_BUFFER: Buffer = Buffer.allocUnsafeSlow(READ_BYTES)
