/** What the application answers, by path: the same for nginx and for the responder. */
export const KIB = 1024
export const BODY_BYTES: Readonly<Record<string, number>> = { '/0': 0, '/1k': KIB, '/64k': 64 * KIB, '/1m': KIB * KIB }
/** Takes a body of any length, and answers with 1 KiB when it has all of it. */
export const UPLOAD_PATH = '/upload'
export const UPLOAD_BYTES = 64 * KIB
