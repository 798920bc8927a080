/** Interim responses (1xx) keep a request busy for nothing: so large they may be, all together. */
export const MAX_INTERIM_BYTES = 64 * 1024
